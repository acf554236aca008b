"""The retrainer service: follows the feedback of a model, and retrains it when there is a reason.

Feedback is read from where the comparison began (`RunLog.baseline`), so that a new process compares
the same rows as its predecessor. Metrics and events are read once.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Event

import structlog

from modstream.broker.client.admin import Admin
from modstream.broker.client.reader import Reader
from modstream.broker.loop.isolation import is_fault, message_of
from modstream.broker.wire.codec import decode
from modstream.broker.wire.feedback_codec import FeedbackDecoder
from modstream.broker.wire.model_contracts import Metrics, ModelEvent
from modstream.broker.wire.records import Offsets, Record, next_offsets
from modstream.broker.wire.topics import Topics
from modstream.errors import Interrupted
from modstream.models.evaluation.metrics import HIGHER_IS_BETTER
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.models.registry.refs import CHAMPION
from modstream.models.registry.registry import Registry
from modstream.models.training.acceptance import selection_metric
from modstream.models.training.dataset import check_task
from modstream.process.activity import ActivityLog
from modstream.process.health import HealthFiles
from modstream.process.heartbeat import Heartbeat
from modstream.processors.learn.feedback_watch import FeedbackWatch
from modstream.processors.learn.retrain_policy import RetrainPolicy, Trigger
from modstream.registry.access import open_registry, wait_for_model
from modstream.registry.card_lookup import card_finder
from modstream.retrain.run_log import RetrainingRun, RunLog
from modstream.retrain.runs import RetrainingRuns
from modstream.settings import Settings
from modstream.telemetry.process import NO_METRICS, ProcessMetrics
from modstream.telemetry.retrainer import RetrainerMetrics

POLL_SECONDS = 0.5


def run_retrainer(
    settings: Settings,
    model: str,
    stop: Event,
    metrics: ProcessMetrics = NO_METRICS,
    *,
    once: bool = False,
) -> list[RetrainingRun]:
    """Retrain a model whenever there is a reason, until `stop` is set.

    A retraining in progress is ended when `stop` is set, and begun again by the next process.
    Metrics and events from before the first start are ignored, feedback is not. With `once`, it
    ends when everything has been read.

    Returns:
        The retrainings of this process.

    Raises:
        NotTrainable: if models of this kind are not trained in batch.
        UnknownMetric: if the configured metric does not measure the model's task.
        TopicMissing: if the stream's topics do not exist.
        HomeUnusable: if the runs cannot be written down.
    """
    topics, log = settings.topics(), structlog.get_logger(__name__)
    with open_registry(settings) as registry:
        if wait_for_model(registry, stop, model, lambda: registry.newest(model)) is None:
            return []
        name = topics.group(f"retrainer-{model}")
        heartbeat = Heartbeat(HealthFiles(settings.home, metrics.on_health), name, stop)
        run_log = RunLog.of(settings.home, topics.stream, model)
        retrainer = Retrainer(
            topics=topics,
            settings=settings,
            policy=make_policy(settings, registry, model),
            watch=make_watch(settings, registry, model),
            runs=RetrainingRuns(settings, registry, model, run_log, heartbeat.check),
            metrics=metrics.add(RetrainerMetrics()),
        )
        with heartbeat, suppress(Interrupted):
            retrainer.resume()
            sources = [topics.metrics, topics.model_events]
            start = {**start_offsets(settings, name, sources), **run_log.baseline()}
            sources.append(topics.feedback)
            with Reader(settings.connection, sources, start, group=name) as reader:
                log.info("retrainer ready", model=model, metric=retrainer.policy.metric)
                activity = ActivityLog("feedback watched")
                while not (once and reader.at_end()):
                    heartbeat.check()
                    records = reader.poll(timeout=POLL_SECONDS)
                    retrainer.handle(records, reader.positions)
                    activity.update(partial(dict, model=model, labels=retrainer.watch.labels))
                    if records:
                        reader.commit(next_offsets(records))
        return retrainer.done


@dataclass(slots=True)
class Retrainer:
    """Follows the records of one model, and retrains it. Not thread-safe.

    Attributes:
        topics: the topics of the stream.
        settings: the settings.
        policy: finds reasons in metrics and events.
        watch: finds reasons in feedback.
        runs: retrains, and knows the runs.
        metrics: what the service measures.
        done: the retrainings of this process that have ended.
    """

    topics: Topics
    settings: Settings
    policy: RetrainPolicy
    watch: FeedbackWatch
    runs: RetrainingRuns
    metrics: RetrainerMetrics
    done: list[RetrainingRun] = field(default_factory=list)
    _decoder: FeedbackDecoder = field(default_factory=FeedbackDecoder)

    def resume(self) -> None:
        """Bring a run to an end that an earlier process has begun."""
        self.metrics.begin()
        self._count(self.runs.resume())

    def handle(self, records: Sequence[Record], positions: Offsets) -> None:
        """Process records; retrain if they are a reason, and if a run is permitted now.

        `positions` are the next offsets after them.
        """
        figures = self.watch.figures
        trigger = self._newest_trigger(records, positions)
        self.metrics.count_records(len(records))
        log = self.runs.log
        if trigger is not None and not (waiting := self._find_hindrance()):
            self.metrics.begin()
            run = self.runs.begin(trigger, self._baseline(positions))
            self._count(run)
            self.policy.reset()
            self.watch.reset()
        elif trigger is not None and waiting != log.state.waiting:
            structlog.get_logger(__name__).info("not yet", reason=trigger.reason, waiting=waiting)
            log.save(waiting=waiting)
        elif self.watch.figures is not figures:
            log.save(figures=dict(self.watch.figures), labels=self.watch.labels)

    def _newest_trigger(self, records: Sequence[Record], positions: Offsets) -> Trigger | None:
        """Process records; return the newest reason to retrain, or None if there is none.

        Records that cannot be decoded or used are skipped.
        """
        trigger = None
        for record in records:
            try:
                trigger = self._handle_record(record, positions) or trigger
            except BaseException as error:
                if not is_fault(error):
                    raise
                structlog.get_logger(__name__).warning(
                    "record skipped", at=record.position, cause=message_of(error)
                )
        return trigger

    def _handle_record(self, record: Record, positions: Offsets) -> Trigger | None:
        if record.topic == self.topics.feedback:
            return self.watch.add(self._decoder.decode(record.value))
        if record.topic == self.topics.metrics:
            return self.policy.on_metrics(decode(Metrics, record.value))
        event = decode(ModelEvent, record.value)
        self.policy.on_event(event)
        if is_new_champion(event, self.policy.model):
            # Another version serves: its losses are compared with its own.
            self.watch.restart(event.version if event.action == "promote" else 0)
            self.runs.log.save(baseline=self._baseline(positions))
        return None

    def _find_hindrance(self) -> str:
        """Return why no run may begin now; empty if one may."""
        limits, state = self.settings.retrain, self.runs.log.state
        if state.runs and self.watch.labels < limits.min_labels_between:
            return f"{limits.min_labels_between:,} labels must come after a retraining"
        if self.runs.log.runs_of_a_day() >= limits.max_runs_per_day:
            return f"{limits.max_runs_per_day} retrainings within 24 hours"
        return ""

    def _baseline(self, positions: Offsets) -> dict[str, int]:
        return {
            str(partition): offset
            for partition, offset in positions.items()
            if partition.topic == self.topics.feedback and offset >= 0
        }

    def _count(self, run: RetrainingRun | None) -> None:
        """Count a run, if there was one.

        Raises:
            Interrupted: it has not ended, since the service is to stop.
        """
        if run is None:
            self.metrics.cancel()
            return
        self.metrics.end(run.outcome or "interrupted")
        if run.outcome is None:
            raise Interrupted
        self.done.append(run)


def is_new_champion(event: ModelEvent, model: str) -> bool:
    """Return whether another version serves for a model, by the gate or by hand."""
    is_move = event.action in {"promote", "rollback"}
    return event.model == model and is_move and event.alias == CHAMPION


def make_policy(settings: Settings, registry: Registry, model: str) -> RetrainPolicy:
    """Return the policy for a model, by its task and the settings.

    Raises:
        NotTrainable: if models of its kind are not trained in batch.
        UnknownMetric: if the configured metric does not measure its task.
    """
    card = registry.card(model)
    check_task(card)
    metric = selection_metric(card.task, settings.train.metric)
    is_loss = metric not in HIGHER_IS_BETTER
    return RetrainPolicy(model, metric, settings.retrain, is_loss, settings.train.threshold)


def make_watch(settings: Settings, registry: Registry, model: str) -> FeedbackWatch:
    """Return what compares the labels of a model."""
    return FeedbackWatch(model, settings.retrain, VersionClasses(card_finder(registry)))


def start_offsets(settings: Settings, group: str, topics: Sequence[str]) -> Offsets:
    """Return the group's committed offsets; where there are none, the present end offsets."""
    admin = Admin(settings.connection)
    return admin.end_offsets(topics) | admin.committed_offsets(group, topics)
