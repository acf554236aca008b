"""Quarantined rows from the shell: listed, released, and learned or quarantined again."""

import json
import math
from random import Random

import pytest

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.client.record_lookup import RecordLookup
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.broker.wire.records import ProducerRecord
from modstream.models.schema.input_schema import InputSchema
from modstream.processors.learn.learner import Learner
from modstream.processors.learn.released import ReleaseProof
from tests.processors.small_fixtures import river_model

pytestmark = [pytest.mark.real, pytest.mark.journey]

USUAL, FAR = 150, 3


class FeedbackStream:
    """The feedback of a stream, and its learner."""

    def __init__(self, system):
        self.system, self.topics = system, system.topics
        loaded = river_model("flights", schema=InputSchema.of_floats(["x"]))
        lookup = RecordLookup(system.settings.connection, self.topics.quarantine)
        self.learner = Learner(
            loaded.card, loaded.runtime, self.topics, was_released=ReleaseProof(lookup.find)
        )

    def send_feedback(self, numbers):
        messages = [
            Feedback(
                id=f"r{at}", label=number > 0, features={"x": number}, event_time=at, label_time=at,
                predictions=(
                    JoinedPrediction(model="flights", version=1, outputs={"probability": 0.5}),
                ),
            )
            for at, number in enumerate(numbers)
        ]  # fmt: skip
        self.send(
            ProducerRecord(self.topics.feedback, one.id.encode(), encode(one)) for one in messages
        )

    def send(self, outgoing):
        with Publisher(self.system.settings.connection) as publisher:
            for record in outgoing:
                publisher.send(record)
            publisher.flush()

    def learn(self):
        """Learn the new feedback, and send rejected rows to the quarantine."""
        offsets = self.learner.offsets
        records = read_to_end(self.system.settings.connection, [self.topics.feedback])
        new_records = [
            record
            for record in records
            if record.offset >= offsets.get(str(record.topic_partition), 0)
        ]
        self.send(self.learner.learn_batch(new_records))

    def run(self, *arguments):
        done = self.system.run("quarantine", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def stream(system):
    """A stream whose learner has quarantined three outliers and one invalid row."""
    system.create_topics()
    stream, random = FeedbackStream(system), Random(4)
    usual = [random.gauss(0, 1) for _ in range(USUAL)]
    stream.send_feedback([*usual, *[1e6] * FAR, math.nan])
    stream.learn()
    return stream


def test_released_rows_are_learned_once_except_those_that_are_always_invalid(stream):
    far, wrong = json.loads(stream.run("list", "--json"))
    assert (far["rule"], far["model"], far["rows"], far["due"]) == ("outlier", "flights", FAR, FAR)
    assert (wrong["rule"], wrong["rows"], wrong["due"]) == ("not_finite", 1, 1)
    planned = json.loads(stream.run("release", "--rule", "outlier", "--dry-run", "--json"))
    assert (planned["sent"], planned["due"]) == (0, FAR)

    assert json.loads(stream.run("release", "--rule", "outlier", "--json"))["sent"] == FAR
    assert json.loads(stream.run("release", "--json"))["sent"] == 1
    again = json.loads(stream.run("release", "--json"))
    stream.learn()

    assert (again["sent"], again["released"]) == (0, FAR + 1)
    assert stream.learner.counts.learned == USUAL + FAR
    (_, wrong) = json.loads(stream.run("list", "--json"))
    assert (wrong["rows"], wrong["released"], wrong["due"]) == (2, 1, 1)
    stream.learn()
    assert stream.learner.counts.learned == USUAL + FAR


def test_a_quarantined_row_is_shown_with_its_original_feedback(stream):
    (first, *_) = shown = json.loads(stream.run("show", "outlier", "--json"))
    assert len(shown) == FAR
    assert json.loads(first["feedback"])["features"] == {"x": 1e6}

    one = stream.run("show", first["row"])
    assert "outlier" in one
    assert "robust deviations" in one
    assert (
        "unknown rule nonsense: known" in stream.system.run("quarantine", "show", "nonsense").stderr
    )
    assert "outlier" in stream.run("list")
