"""A retrainer: follows a model's figures and its gate, and trains a challenger when they ask."""

from collections.abc import Sequence
from threading import Event

import structlog

from modstream.broker.client.admin import Admin
from modstream.broker.client.reader import Reader
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Metrics, ModelEvent
from modstream.broker.wire.records import Offsets, Record, next_offsets
from modstream.broker.wire.topics import Topics
from modstream.errors import Interrupted
from modstream.models.errors import TrainingError
from modstream.models.evaluation.metrics import HIGHER_IS_BETTER
from modstream.models.registry.registry import Registry
from modstream.models.training.train import deciding
from modstream.processors.learn.retrain_policy import Reasons
from modstream.registry.access import await_model, open_registry
from modstream.retrain.retrain import retrain
from modstream.settings import Settings


def run_retrainer(settings: Settings, model: str, stop: Event) -> None:
    """Retrain whenever there is a reason, until `stop`; a retraining under way is given up then.

    What was told before the first start is no reason; what was told since the last one is.

    Raises:
        UnknownMetric: the metric that shall decide does not measure this task.
        TopicMissing: the stream has not been set up.
    """
    topics, log = settings.topics(), structlog.get_logger(__name__)
    with open_registry(settings) as registry:
        if await_model(registry, stop, model, lambda: registry.newest(model)) is None:
            return
        reasons = reasons_for(settings, registry, model)
        read, group = [topics.metrics, topics.model_events], topics.group(f"retrainer-{model}")
        with Reader(settings.connection, read, start(settings, group, read), group=group) as reader:
            log.info("retrainer ready", model=model, metric=reasons.metric)
            while not stop.is_set():
                records = reader.poll(timeout=0.5)
                because = heard(reasons, topics, records)
                if because:
                    attempt(settings, registry, model, because, stop)
                    reasons.begin_anew()
                if records:
                    reader.commit(next_offsets(records))


def reasons_for(settings: Settings, registry: Registry, model: str) -> Reasons:
    """What to watch of a model, by its task and the settings."""
    metric = deciding(registry.card(model).task, settings.train.metric)
    is_loss = metric not in HIGHER_IS_BETTER
    return Reasons(model, metric, settings.retrain, is_loss, settings.train.threshold)


def start(settings: Settings, group: str, topics: Sequence[str]) -> Offsets:
    """Where the last retrainer of this group stopped, else where the topics end now."""
    admin = Admin(settings.connection)
    return admin.ends(topics) | admin.committed(group, topics)


def heard(reasons: Reasons, topics: Topics, records: Sequence[Record]) -> str:
    """The newest reason among records, empty if there is none; what cannot be read is none."""
    because = ""
    for record in records:
        try:
            if record.topic == topics.model_events:
                reasons.hear(decode(ModelEvent, record.value))
            else:
                because = reasons.see(decode(Metrics, record.value)) or because
        except DecodeError as error:
            structlog.get_logger(__name__).warning("passed over", at=record.place, cause=str(error))
    return because


def attempt(settings: Settings, registry: Registry, model: str, because: str, stop: Event) -> None:
    """Retrain once; a refusal, or feedback that is too little, is told in the log."""

    def go_on(_doing: str, _share: float) -> None:
        if stop.is_set():
            raise Interrupted

    log = structlog.get_logger(__name__).bind(model=model, because=because)
    log.info("retraining")
    alias = settings.retrain.alias
    try:
        retrain(settings, registry, model, because=because, tell=go_on, alias=alias)
    except TrainingError as error:
        log.warning("not retrained", cause=str(error))
    except Interrupted:
        log.info("retraining given up")
