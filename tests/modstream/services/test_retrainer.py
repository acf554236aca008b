"""A retrainer hears that a model decays, and trains its challenger from the feedback."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event
from time import monotonic

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Feedback, Metrics, Scored
from modstream.broker.wire.records import Outgoing
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import Draft
from modstream.registry.access import open_registry
from modstream.services.retrainer import attempt, run_retrainer
from modstream.settings import load_settings
from tests.processors.small_fixtures import river

pytestmark = pytest.mark.real

SCHEMA = InputSchema.floats(["x", "y"])
ROWS, SECONDS = 400, 60.0


@pytest.fixture
def settings(bootstrap, redis_url, prefix, tmp_path):
    settings = load_settings(
        bootstrap=bootstrap, redis=redis_url, prefix=prefix, stream="s", home=tmp_path,
        partitions=1, train={"trials": 1, "folds": 2, "threshold": 0.9},
        retrain={"alias": "batch", "fewest": 100},
    )  # fmt: skip
    Admin(settings.connection).create(settings.specs())
    return settings


@pytest.fixture
def registry(settings):
    """A registry whose model m has learned nothing."""
    draft = Draft(
        name="m", runtime="river", task="binary", classes=(False, True), input_schema=SCHEMA
    )
    with open_registry(settings) as registry:
        registry.publish(draft, river(schema=SCHEMA).runtime.snapshot())
        yield registry


@pytest.fixture
def publisher(settings):
    with Publisher(settings.connection) as publisher:
        yield publisher


def answered(rows: int) -> Iterator[Feedback]:
    """Labelled rows that anybody could tell apart, each answered with a half."""
    random = Random(6)
    for number in range(rows):
        row = {name: random.gauss(0, 1) for name in "xy"}
        yield Feedback(
            id=f"r{number}", label=sum(row.values()) > 0, features=row, event_time=number,
            predictions=(Scored(model="m", version=1, outputs={"probability": 0.5}),),
            label_time=number,
        )  # fmt: skip


def figures(auc: float) -> Metrics:
    values = {"labelled": ROWS, "window": ROWS, "auc": auc}
    return Metrics(kind="prequential", model="m", values=values)


def test_a_model_below_what_the_business_asks_gets_a_challenger_under_the_alias(
    settings, registry, publisher
):
    topics, stop = settings.topics(), Event()
    for feedback in answered(ROWS):
        publisher.send(Outgoing(topics.feedback, b"k", encode(feedback)))
    publisher.flush()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_retrainer, settings, "m", stop)
        # What was told before the retrainer was ready is no reason: so it is told until one is.
        deadline = monotonic() + SECONDS
        while "batch" not in registry.aliases("m") and monotonic() < deadline:
            publisher.send(Outgoing(topics.metrics, b"m", encode(figures(auc=0.5))))
            publisher.poll(0.1)
        stop.set()
        running.result(SECONDS)

    assert registry.aliases("m") == {"champion": 1, "batch": 2}
    card = registry.card("m", "batch")
    assert card.metrics["auc"] > 0.9
    assert registry.history("m")[-1].evidence == "auc is 0.5, asked for is 0.9"


def test_a_retraining_under_way_is_given_up_when_the_process_shall_end(settings, registry):
    stop = Event()
    stop.set()

    attempt(settings, registry, "m", "a reason", stop)

    assert registry.aliases("m") == {"champion": 1}


def test_too_little_feedback_is_no_end_of_a_retrainer(settings, registry):
    attempt(settings, registry, "m", "a reason", Event())

    assert registry.aliases("m") == {"champion": 1}
