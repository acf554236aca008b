"""Bad records of every kind among good ones, through a real worker."""

import pytest

from modstream.models.examples.flights import FLIGHT_FEATURES
from modstream.producers.load.run import run_load
from modstream.producers.load.schedule import LoadPlan
from modstream.producers.records.bad_records import BAD
from modstream.producers.records.random_rows import specs
from tests.journeys.conftest import SECONDS, publish_untrained, with_route

pytestmark = [pytest.mark.real, pytest.mark.journey]


@pytest.fixture
def answering(system):
    """A stream that an untrained River model answers."""
    system = with_route(system, "online")
    publish_untrained(system, "online")
    system.start("worker", "worker")
    return system


def test_each_bad_record_takes_its_way_out_and_every_good_one_is_answered(answering):
    features = specs([feature.model_dump() for feature in FLIGHT_FEATURES.features])
    plan = LoadPlan(
        run="mixed", rate=500, seconds=10, bad=0.01, kinds=tuple(sorted(BAD)), patience=SECONDS
    )

    report = run_load(answering.settings.connection, answering.topics, plan, features)

    assert (report.unanswered, report.errors, report.repeated) == (0, {}, 0)
    assert report.answered == report.sent > 4500
    assert set(report.bad) == set(BAD), "every kind was sent"
    for kind, ways in report.bad.items():
        expected = BAD[kind]
        way = "dead_letter" if expected.way_out == "dead_letter" else f"error:{expected.code}"
        assert set(ways) == {way}, kind
    assert answering.supervisor.status()[0].restarts == 0
