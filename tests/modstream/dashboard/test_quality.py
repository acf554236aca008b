"""Prequential figures over time, drift, and the timeline of a model."""

import math
from random import Random

import pytest

from modstream.broker.wire.model_contracts import Metrics
from modstream.dashboard.figures import StreamFigures
from modstream.dashboard.quality import MAX_SERIES, MAX_SHIFTS, POINT_MS, main_metric


def write(story, kind, version=1, model="online", **values):
    metrics = Metrics(
        kind=kind, model=model, version=version, event_time=1, values=values, offsets={"f:0": 1}
    )
    return story.write(story.topics.metrics, kind, metrics)


def figures_of(story, records=None):
    figures = StreamFigures(story.topics, story.route)
    figures.add(story.records if records is None else records, story.now)
    return figures


@pytest.fixture
def scored(story):
    for number in range(60):
        story.now += 20_000
        write(story, "prequential", 1 + number // 30, accuracy=0.5 + number / 200, labelled=100.0,
              window=50.0 + number, auc=0.7)  # fmt: skip
        write(story, "prequential", None, accuracy=0.8, labelled=100.0, window=90.0)
    return story


def test_each_version_has_its_newest_figures_of_each_minute(scored):
    quality = figures_of(scored).quality

    points = quality.series("online", 1)

    assert len(points) == pytest.approx(10, abs=1)
    assert [one.at for one in points] == sorted(one.at for one in points)
    assert len({one.at // POINT_MS for one in points}) == len(points)
    assert points[-1].values == {"accuracy": pytest.approx(0.645), "auc": 0.7}
    assert points[-1].window == 79
    assert points[-1].bands["accuracy"].low < 0.645 < points[-1].bands["accuracy"].high
    assert points[-1].bands["auc"].method == "none"
    assert quality.versions("online") == {1, 2}
    assert quality.newest("online").values == {"accuracy": 0.8}


def test_figures_do_not_depend_on_the_order_of_the_records(scored):
    shuffled = Random(1).sample(scored.records, len(scored.records))

    first, second = figures_of(scored).quality, figures_of(scored, shuffled).quality

    for version in (1, 2, None):
        assert first.series("online", version) == second.series("online", version)


def test_figures_from_before_the_history_are_forgotten(scored):
    figures = figures_of(scored)
    later = scored.now + 7 * 3_600_000

    assert figures.read(lambda one: one.quality.series("online", 1), later) == ()
    assert figures.quality.names() == set()


def test_the_number_of_series_is_bounded_and_the_newest_are_kept(story):
    for version in range(1, MAX_SERIES + 50):
        story.now += POINT_MS
        write(story, "prequential", version, accuracy=0.5, window=10.0)

    versions = figures_of(story).quality.versions("online")

    assert len(versions) == MAX_SERIES
    assert max(versions) == MAX_SERIES + 49


def test_values_that_are_not_finite_or_not_shown_are_left_out(story):
    write(story, "prequential", 1, accuracy=math.nan, mae=math.inf, mae_7=2.0, smape=3.0)

    (point,) = figures_of(story).quality.series("online", 1)

    assert point.values == {"smape": 3.0}
    assert (point.window, point.bands["smape"].reason) == (0, "no labels")


def test_drift_is_kept_newest_first(story):
    for number in range(80):
        story.now += 1000
        write(story, "input_drift", None, **{f"feature {number}": 0.5})

    drift = figures_of(story).quality.drift("online")

    assert len(drift) == MAX_SHIFTS
    assert (drift[0].feature, drift[0].shift) == ("feature 79", 0.5)


def test_the_newest_counts_of_a_learner_are_kept(story):
    write(story, "learner", 1, learned=5.0)
    story.now += 5
    newest = write(story, "learner", 2, learned=9.0)

    assert figures_of(story).quality.learner("online") == {"learned": 9.0}
    assert figures_of(story, [newest, *story.records[:1]]).quality.learner("online")["learned"] == 9


def test_the_main_metric_is_the_first_that_is_known():
    assert main_metric({"auc": 0.5, "accuracy": 0.1}) == "accuracy"
    assert main_metric({"rmse": 0.5, "mae": 0.1}) == "mae"
    assert main_metric({}) is None


def test_the_timeline_has_each_change_with_its_evidence(story):
    story.publish(rows_learned=7)
    story.now += 1000
    story.decide("rollback", user="ann\nlee")

    rollback, published = figures_of(story).timelines.entries("online")

    assert (published.action, published.version, published.rows_learned) == ("publish", 1, 7)
    assert published.evidence == {}
    assert (rollback.action, rollback.alias, rollback.user) == ("rollback", "champion", "ann?lee")
    assert rollback.reason == "it lost less"
    assert rollback.evidence["champion_loss"] == 0.21
    assert rollback.evidence["error_after"] == 0.7
    assert "flip_ratio" not in rollback.evidence
    assert rollback.at == published.at + 1000


def test_unreadable_metrics_and_events_are_counted(story):
    story.write(story.topics.metrics, "odd", b"{")
    story.write(story.topics.model_events, "odd", b"[]")

    assert figures_of(story).unreadable == 2
