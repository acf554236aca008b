"""The quality and the performance of a stream, as its audit computes them."""

import pytest

from tests.modstream.stream_builder import NEW_YEAR, NOW
from tests.processors.small_fixtures import make_card


def test_quality_is_computed_from_predictions_and_labels_by_id(story):
    for number in range(40):
        late = number % 2 == 0
        story.flight(f"{number}", 0.9 if late else 0.1, label=late, frozen=0.5)

    online, frozen = story.audit_result().quality

    assert online.labelled == online.joined == 40
    assert online.auc == pytest.approx(1.0)
    assert online.log_loss == pytest.approx(0.10536, abs=1e-5)
    assert frozen.auc == pytest.approx(0.5)


def test_regression_and_anomaly_models_have_their_own_metrics(story):
    story.cards = {
        "online": make_card("online", task="regression", classes=()),
        "frozen": make_card("frozen", task="anomaly", classes=()),
    }
    for number in range(4):
        asked = story.ask(f"{number}")
        story.answer(asked, "online", outputs={"value": number + 1.0})
        story.answer(asked, "frozen", outputs={"score": 7.0 * number})
        story.label(f"{number}", label=number // 2)

    values, anomalies = story.audit_result().quality

    assert values.metrics == pytest.approx({"mae": 2.0, "rmse": 4.5**0.5, "r2": -17.0})
    assert anomalies.metrics == {"auc": 1.0}
    assert values.labelled == anomalies.labelled == 0


@pytest.mark.slow
def test_quality_over_event_time_shows_the_model_that_falls_behind(season):
    online, frozen = season.quality

    assert len(online.bins) == 43
    assert online.event_times.first == NEW_YEAR == online.bins[0].start
    assert sum(each.labelled for each in online.bins) == 4000
    assert online.bins[-2].auc > frozen.bins[-2].auc + 0.05


def test_versions_are_listed_in_the_order_of_their_first_use(story):
    for number, version in enumerate((1, 1, 2, 4)):
        story.flight(f"{number}", version=version, event_time=NEW_YEAR + number)

    online, frozen = story.audit_result().quality

    assert [served.version for served in online.versions] == [1, 2, 4]
    assert [served.first_event_time - NEW_YEAR for served in online.versions] == [0, 2, 3]
    assert (online.swaps, frozen.swaps) == (2, 0)


def test_latency_is_measured_from_request_to_append_of_the_response(story):
    for number in range(100):
        story.flight(f"{number}", after=500 if number == 99 else 20)

    online, _ = story.audit_result().performance.latency

    assert (online.p50, online.max) == (20, 500)
    assert online.curve[-1] == (100, 500)


def test_throughput_counts_requests_per_second(story):
    for number in range(300):
        story.flight(f"{number}")

    throughput = story.audit_result().performance.throughput

    assert throughput.peak == 100
    assert throughput.mean == pytest.approx(100, rel=0.02)
    assert throughput.times == (0, 1, 2)


def test_lag_is_reported_as_sampled(story):
    story.flight("one")
    story.lag(NOW + 2010, worker=3, joiner=0)

    (lag,) = story.audit_result().performance.lag

    assert lag.seconds == 2.0
    assert lag.records == {"worker": 3, "joiner": 0}
