"""Refused rows, from the shell: looked at, released, learned after all or refused again."""

import json
import math
from random import Random

import pytest

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Feedback, Scored
from modstream.broker.wire.records import Outgoing
from modstream.models.schema.input_schema import InputSchema
from modstream.processors.learn.learner import Learner
from tests.processors.small_fixtures import river

pytestmark = [pytest.mark.real, pytest.mark.journey]

USUAL, FAR = 150, 3


class School:
    """A stream's feedback, and the one who learns it."""

    def __init__(self, system):
        self.system, self.topics = system, system.topics
        loaded = river("flights", schema=InputSchema.floats(["x"]))
        self.pupil = Learner(loaded.card, loaded.runtime, self.topics)

    def feed(self, numbers):
        made = [
            Feedback(
                id=f"r{at}", label=number > 0, features={"x": number}, event_time=at, label_time=at,
                predictions=(Scored(model="flights", version=1, outputs={"probability": 0.5}),),
            )
            for at, number in enumerate(numbers)
        ]  # fmt: skip
        self.send(Outgoing(self.topics.feedback, one.id.encode(), encode(one)) for one in made)

    def send(self, outgoing):
        with Publisher(self.system.settings.connection) as publisher:
            for record in outgoing:
                publisher.send(record)
            publisher.flush()

    def learn(self):
        """Learn what has come, and put aside what is refused."""
        offsets = self.pupil.offsets
        records = read_to_end(self.system.settings.connection, [self.topics.feedback])
        news = [record for record in records if record.offset >= offsets.get(str(record.home), 0)]
        self.send(self.pupil.absorb(news))

    def told(self, *arguments):
        done = self.system.run("quarantine", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def school(system):
    """A learner that has refused three rows as outliers, and one for ever."""
    system.create_topics()
    school, random = School(system), Random(4)
    usual = [random.gauss(0, 1) for _ in range(USUAL)]
    school.feed([*usual, *[1e6] * FAR, math.nan])
    school.learn()
    return school


def test_rows_are_released_once_and_learned_but_for_those_that_are_always_wrong(school):
    far, wrong = json.loads(school.told("list", "--json"))
    assert (far["rule"], far["model"], far["rows"], far["due"]) == ("outlier", "flights", FAR, FAR)
    assert (wrong["rule"], wrong["rows"], wrong["due"]) == ("not_finite", 1, 1)
    planned = json.loads(school.told("release", "--rule", "outlier", "--dry-run", "--json"))
    assert (planned["sent"], planned["due"]) == (0, FAR)

    assert json.loads(school.told("release", "--rule", "outlier", "--json"))["sent"] == FAR
    assert json.loads(school.told("release", "--json"))["sent"] == 1
    again = json.loads(school.told("release", "--json"))
    school.learn()

    assert (again["sent"], again["released"]) == (0, FAR + 1)
    assert school.pupil.counts.learned == USUAL + FAR
    (_, wrong) = json.loads(school.told("list", "--json"))
    assert (wrong["rows"], wrong["released"], wrong["due"]) == (2, 1, 1)
    school.learn()
    assert school.pupil.counts.learned == USUAL + FAR


def test_rows_are_shown_with_the_feedback_as_it_came(school):
    (first, *_) = shown = json.loads(school.told("show", "outlier", "--json"))
    assert len(shown) == FAR
    assert json.loads(first["feedback"])["features"] == {"x": 1e6}

    one = school.told("show", first["row"])
    assert "outlier" in one
    assert "robust deviations" in one
    assert "no row nonsense" in school.system.run("quarantine", "show", "nonsense").stderr
    assert "outlier" in school.told("list")
