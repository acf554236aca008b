"""The retrainer service: follows a model's metrics and events, and retrains it when it decays."""

from collections.abc import Sequence
from functools import partial
from threading import Event

import structlog

from modstream.broker.client.admin import Admin
from modstream.broker.client.reader import Reader
from modstream.broker.loop.isolation import is_fault, message_of, place_of
from modstream.broker.wire.codec import decode
from modstream.broker.wire.model_contracts import Metrics, ModelEvent
from modstream.broker.wire.records import Offsets, Record, next_offsets
from modstream.broker.wire.topics import Topics
from modstream.errors import Interrupted
from modstream.models.evaluation.metrics import HIGHER_IS_BETTER
from modstream.models.registry.registry import Registry
from modstream.models.training.acceptance import selection_metric
from modstream.models.training.dataset import check_task
from modstream.models.training.errors import TrainingError
from modstream.process.activity import ActivityLog
from modstream.processors.learn.retrain_policy import RetrainPolicy
from modstream.registry.access import open_registry, wait_for_model
from modstream.retrain.retrain import retrain
from modstream.settings import Settings
from modstream.telemetry.process import NO_METRICS, ProcessMetrics
from modstream.telemetry.retrainer import RetrainerMetrics


def run_retrainer(
    settings: Settings, model: str, stop: Event, metrics: ProcessMetrics = NO_METRICS
) -> None:
    """Retrain a model whenever there is a reason, until `stop` is set.

    A retraining in progress is abandoned when `stop` is set. Metrics and events from before the
    first start are ignored; those from between two runs are not.

    Raises:
        NotTrainable: if models of this kind are not trained in batch.
        UnknownMetric: if the configured metric does not measure the model's task.
        TopicMissing: if the stream's topics do not exist.
    """
    topics, log = settings.topics(), structlog.get_logger(__name__)
    with open_registry(settings) as registry:
        if wait_for_model(registry, stop, model, lambda: registry.newest(model)) is None:
            return
        policy = make_policy(settings, registry, model)
        sources, group = [topics.metrics, topics.model_events], topics.group(f"retrainer-{model}")
        start = start_offsets(settings, group, sources)
        with Reader(settings.connection, sources, start, group=group) as reader:
            log.info("retrainer ready", model=model, metric=policy.metric)
            read, activity = 0, ActivityLog("metrics watched")
            measured = metrics.add(RetrainerMetrics())
            while not stop.is_set():
                records = reader.poll(timeout=0.5)
                reason = newest_reason(policy, topics, records)
                if reason:
                    measured.begin()
                    measured.end(try_retrain(settings, registry, model, reason, stop))
                    policy.reset()
                read += len(records)
                measured.count_records(len(records))
                activity.update(partial(dict, model=model, records=read))
                if records:
                    reader.commit(next_offsets(records))


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


def start_offsets(settings: Settings, group: str, topics: Sequence[str]) -> Offsets:
    """Return the group's committed offsets; where there are none, the present end offsets."""
    admin = Admin(settings.connection)
    return admin.end_offsets(topics) | admin.committed_offsets(group, topics)


def newest_reason(policy: RetrainPolicy, topics: Topics, records: Sequence[Record]) -> str:
    """Process records; return the newest reason to retrain, or "" if there is none.

    Records that cannot be decoded or used are skipped.
    """
    reason = ""
    for record in records:
        try:
            if record.topic == topics.model_events:
                policy.on_event(decode(ModelEvent, record.value))
            else:
                reason = policy.on_metrics(decode(Metrics, record.value)) or reason
        except BaseException as error:
            if not is_fault(error):
                raise
            structlog.get_logger(__name__).warning(
                "record skipped", at=record.position, cause=message_of(error)
            )
    return reason


def try_retrain(
    settings: Settings, registry: Registry, model: str, reason: str, stop: Event
) -> str:
    """Retrain once; log a rejected challenger, too little feedback, an interruption or a failure.

    Returns what became of it: `published`, `rejected`, `not_trained`, `interrupted` or `failed`.

    A failure is no reason to end the service: the next retraining has other feedback.
    """

    def check_stop(_step: str, _share: float) -> None:
        if stop.is_set():
            raise Interrupted

    log = structlog.get_logger(__name__).bind(model=model, reason=reason)
    log.info("retraining")
    alias = settings.retrain.alias
    try:
        result = retrain(
            settings, registry, model, reason=reason, on_progress=check_stop, alias=alias
        )
    except TrainingError as error:
        log.warning("not retrained", cause=str(error))
        return "not_trained"
    except Interrupted:
        log.info("retraining interrupted")
        return "interrupted"
    except BaseException as error:
        # The feedback can make any step of scikit-learn or of an export fail, in any way.
        if not is_fault(error):
            raise
        log.exception("retraining failed", cause=message_of(error), place=place_of(error))
        return "failed"
    return "published" if result.training.is_accepted else "rejected"
