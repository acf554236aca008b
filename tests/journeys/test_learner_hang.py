"""A row that a model never ends learning costs the learner two restarts, not the partition."""

import json
import sys
from time import monotonic

import pytest

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.broker.wire.records import ProducerRecord
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.process.supervisor import Command
from modstream.stack.local_stack import child_environment
from tests.journeys.conftest import TIMEOUT_SECONDS
from tests.journeys.hanging_learner import ENDLESS
from tests.journeys.test_tasks import wait_until_learned
from tests.processors.small_fixtures import river_model

pytestmark = [pytest.mark.real, pytest.mark.journey, pytest.mark.long]

STALL_SECONDS = 2
ROWS = 20


def send_feedback(system, numbers):
    scored = (JoinedPrediction(model="flights", version=1, outputs={"probability": 0.5}),)
    with Publisher(system.settings.connection) as publisher:
        for at, number in enumerate(numbers):
            one = Feedback(
                id=f"r{at}", label=at % 2 > 0, features={"x": number},
                event_time=at, label_time=at, predictions=scored,
            )  # fmt: skip
            publisher.send(ProducerRecord(system.topics.feedback, b"key", encode(one)))
        publisher.flush()


def test_a_row_that_the_model_never_ends_learning_costs_two_restarts(system):
    system.create_topics()
    model = river_model("flights", schema=InputSchema.of_floats(["x"]))
    spec = VersionSpec(
        name="flights", runtime="river", task="binary", input_schema=model.card.input_schema
    )
    with system.registry() as registry:
        registry.publish(spec, model.runtime.snapshot())
    send_feedback(system, [ENDLESS if at == ROWS // 2 else at / ROWS / 2 for at in range(ROWS)])
    environment = child_environment(system.settings) | {
        "MODSTREAM_STALL_TIMEOUT": str(STALL_SECONDS)
    }
    argv = (sys.executable, "-m", "tests.journeys.hanging_learner", "learner")

    system.supervisor.start(Command("learner", argv, environment))
    wait_until_learned(system, "flights", ROWS - 1)

    (row,) = (
        json.loads(one.value)
        for one in read_to_end(system.settings.connection, [system.topics.quarantine])
    )
    assert row["rule"] == "internal_error"
    assert "the process ended 2 times" in row["detail"]
    assert "stalled" in row["detail"]
    wait_for_health(system)


def wait_for_health(system):
    """Wait until `modstream health` shows that the learner is well."""
    deadline = monotonic() + TIMEOUT_SECONDS
    while "learner" not in (found := system.run("health")).stdout or found.returncode:
        assert monotonic() < deadline, found.stdout
