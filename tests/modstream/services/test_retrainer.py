"""The retrainer service trains a challenger from feedback when a model decays."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event
from time import monotonic

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import ProducerRecord
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.registry.access import open_registry
from modstream.services.retrainer import run_retrainer, try_retrain
from modstream.settings import load_settings
from tests.processors.small_fixtures import river_model

pytestmark = pytest.mark.real

SCHEMA = InputSchema.of_floats(["x", "y"])
ROWS, TIMEOUT_SECONDS = 400, 60.0


@pytest.fixture
def settings(bootstrap, redis_url, prefix, tmp_path):
    settings = load_settings(
        bootstrap=bootstrap, redis=redis_url, prefix=prefix, stream="s", home=tmp_path,
        partitions=1, train={"trials": 1, "folds": 2, "threshold": 0.9},
        retrain={"alias": "batch", "min_window": 100},
    )  # fmt: skip
    Admin(settings.connection).create(settings.topic_specs())
    return settings


@pytest.fixture
def registry(settings):
    """A registry whose model m is untrained."""
    spec = VersionSpec(
        name="m", runtime="river", task="binary", classes=(False, True), input_schema=SCHEMA
    )
    with open_registry(settings) as registry:
        registry.publish(spec, river_model(schema=SCHEMA).runtime.snapshot())
        yield registry


@pytest.fixture
def publisher(settings):
    with Publisher(settings.connection) as publisher:
        yield publisher


def separable_feedback(rows: int) -> Iterator[Feedback]:
    """Yield feedback with separable classes, each row predicted with probability 0.5."""
    random = Random(6)
    for number in range(rows):
        row = {name: random.gauss(0, 1) for name in "xy"}
        yield Feedback(
            id=f"r{number}", label=sum(row.values()) > 0, features=row, event_time=number,
            predictions=(JoinedPrediction(model="m", version=1, outputs={"probability": 0.5}),),
            label_time=number,
        )  # fmt: skip


def metrics(auc: float) -> Metrics:
    values = {"labelled": ROWS, "window": ROWS, "auc": auc}
    return Metrics(kind="prequential", model="m", values=values)


def test_a_model_below_the_threshold_gets_a_challenger_under_the_alias(
    settings, registry, publisher
):
    topics, stop = settings.topics(), Event()
    for feedback in separable_feedback(ROWS):
        publisher.send(ProducerRecord(topics.feedback, b"k", encode(feedback)))
    publisher.flush()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_retrainer, settings, "m", stop)
        # The retrainer ignores metrics from before its start, so they are sent repeatedly.
        deadline = monotonic() + TIMEOUT_SECONDS
        while "batch" not in registry.aliases("m") and monotonic() < deadline:
            publisher.send(ProducerRecord(topics.metrics, b"m", encode(metrics(auc=0.5))))
            publisher.poll(0.1)
        stop.set()
        running.result(TIMEOUT_SECONDS)

    assert registry.aliases("m") == {"champion": 1, "batch": 2}
    card = registry.card("m", "batch")
    assert card.metrics["auc"] > 0.9
    assert registry.history("m")[-1].reason == "auc is 0.5, required is 0.9"


def test_a_retraining_in_progress_is_abandoned_when_the_process_stops(settings, registry):
    stop = Event()
    stop.set()

    try_retrain(settings, registry, "m", "a reason", stop)

    assert registry.aliases("m") == {"champion": 1}


def test_too_little_feedback_does_not_stop_the_retrainer(settings, registry):
    try_retrain(settings, registry, "m", "a reason", Event())

    assert registry.aliases("m") == {"champion": 1}
