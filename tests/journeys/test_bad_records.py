"""Bad records of every kind among good ones, through a real worker."""

import pytest

from modstream.models.examples.flights import FLIGHT_SCHEMA
from modstream.producers.load.run import run_load
from modstream.producers.load.schedule import LoadPlan
from modstream.producers.records.bad_records import BAD_RECORDS
from modstream.producers.records.random_rows import parse_feature_specs
from tests.journeys.conftest import TIMEOUT_SECONDS, publish_untrained, with_route

pytestmark = [pytest.mark.real, pytest.mark.journey]


@pytest.fixture
def stream(system):
    """A stream with an untrained River model."""
    system = with_route(system, "online")
    publish_untrained(system, "online")
    system.start("worker", "worker")
    return system


def test_each_bad_record_leaves_by_its_expected_exit_and_every_good_one_is_answered(stream):
    features = parse_feature_specs([feature.model_dump() for feature in FLIGHT_SCHEMA.features])
    plan = LoadPlan(
        run_id="mixed",
        rate=500,
        seconds=10,
        bad_share=0.01,
        bad_kinds=tuple(sorted(BAD_RECORDS)),
        drain_timeout_seconds=TIMEOUT_SECONDS,
    )

    report = run_load(stream.settings.connection, stream.topics, plan, features)

    assert (report.unanswered, report.errors, report.extra_responses) == (0, {}, 0)
    assert report.answered == report.sent > 4500
    assert set(report.bad) == set(BAD_RECORDS), "every kind was sent"
    for kind, exits in report.bad.items():
        bad = BAD_RECORDS[kind]
        expected = "dead_letter" if bad.expected_exit == "dead_letter" else f"error:{bad.code}"
        assert set(exits) == {expected}, kind
    assert stream.supervisor.status()[0].restarts == 0
