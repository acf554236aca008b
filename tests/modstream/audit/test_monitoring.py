"""The monitoring of a stream: slices, calibration, coverage and drift, from its topics."""

from random import Random

import pytest

from modstream.audit.result import evaluate
from modstream.models.evaluation.monitoring.model_monitoring import MonitoringSettings
from modstream.models.evaluation.monitoring.slice_search import SliceSearch
from modstream.report.page import render_page
from tests.modstream.stream_builder import NEW_YEAR
from tests.processors.small_fixtures import make_card

HOUR = 3_600_000
SEARCH = MonitoringSettings(search=SliceSearch(min_rows=40))


def write(story, size: int, outputs, label, row, rows_per_hour: int = 10) -> None:
    """Write requests with a prediction of `online` and a label three hours later."""
    story.route = ("online",)
    for number in range(size):
        at = NEW_YEAR + number * HOUR // rows_per_hour
        asked = story.ask(f"{number}", event_time=at)
        story.answer(asked, "online", outputs=outputs(number), features=row(number))
        story.label(f"{number}", label=label(number), event_time=at + 3 * HOUR)


def monitored(story, settings=SEARCH):
    return evaluate(story.audit(), settings).monitoring


def test_bad_slice_of_a_stream_is_found(story):
    rng = Random(1)
    write(
        story, 1200,
        lambda number: {"probability": 0.1},
        lambda number: rng.random() < (0.6 if number % 5 == 0 else 0.1),
        lambda number: {"carrier": "HA" if number % 5 == 0 else "UA", "temp": number % 7},
    )  # fmt: skip

    (found,) = monitored(story).models

    worst = found.worst.slices[0]
    assert worst.name == "carrier: HA"
    assert worst.count == 240
    assert worst.metrics["observed"] == pytest.approx(0.6, abs=0.1)
    assert [one.name for one in found.by_value] == ["carrier: UA", "carrier: HA"]
    assert found.unit == "day"


def test_drift_compares_the_newest_rows_with_the_first(story):
    write(
        story, 600,
        lambda number: {"probability": 0.5},
        lambda number: number % 2 == 0,
        lambda number: {"temp": float(number % 20 + number // 300 * 15), "hour": number % 24},
    )  # fmt: skip

    drift = monitored(story).drift

    assert drift.rows == 200
    assert drift.reference[0] == NEW_YEAR
    temp, hour = drift.features
    assert (temp.feature, hour.feature) == ("temp", "hour")
    assert temp.psi > 0.25
    assert hour.psi < 0.1
    assert temp.p_value < 0.001 < hour.p_value


def test_top_label_of_a_multiclass_model_is_calibrated(story):
    story.cards["online"] = make_card("online", task="multiclass", classes=("a", "b", "c"))
    write(
        story, 400,
        lambda number: {"label": "b", "probabilities": {"a": 0.1, "b": 0.75, "c": 0.15}},
        lambda number: "b" if number % 4 else "a",
        lambda number: {"x": number % 3},
    )  # fmt: skip

    (found,) = monitored(story).models

    assert found.task == "multiclass"
    assert [one.predicted for one in found.calibration.bins] == [pytest.approx(0.75)]
    assert found.calibration.ece == pytest.approx(0.0)
    assert all(one.coverage is None for one in found.periods)
    assert sum(one.loss * one.count for one in found.periods) == pytest.approx(100)


def test_labels_without_probabilities_have_no_calibration(story):
    story.cards["online"] = make_card("online", task="multiclass", classes=(1, 2))
    write(story, 50, lambda _: {"label": 1}, lambda _: 1, lambda number: {"x": number % 3})

    (found,) = monitored(story).models

    assert found.calibration.count == 0


def test_regression_has_intervals_and_the_page_shows_them(story):
    story.cards["online"] = make_card("online", task="regression", classes=())
    rng = Random(2)
    write(
        story, 900,
        lambda number: {"value": 10.0},
        lambda number: 10 + rng.gauss(0, 1),
        lambda number: {"carrier": "UA", "x": number % 9},
    )  # fmt: skip

    result = evaluate(story.audit(), SEARCH)
    (found,) = result.monitoring.models

    later = [one.coverage for one in found.periods[1:]]
    assert sum(one.coverage * one.count for one in later) / sum(
        one.count for one in later
    ) == pytest.approx(0.9, abs=0.03)
    assert later[-1].size == pytest.approx(2 * 1.645, rel=0.25)
    page = render_page(result)
    assert "The intervals aim at a coverage of 90%" in page
    assert '<h2 class="part">Calibration' not in page


def test_rows_without_features_are_in_no_slice(story):
    write(
        story, 300,
        lambda number: {"probability": 0.5},
        lambda number: number % 2 == 0,
        lambda number: {"carrier": "UA" if number % 2 else "B6"} if number < 200 else None,
    )  # fmt: skip

    found = monitored(story)

    (one,) = found.models
    assert (one.labelled, found.feature_rows) == (300, 200)
    assert sum(each.count for each in one.by_value) == 200


def test_names_of_clients_are_escaped_on_the_page(story):
    write(
        story, 400,
        lambda number: {"probability": 0.1},
        lambda number: number % 2 == 0,
        lambda number: {"<b>": "<script>\n" if number % 2 else "$x_$ 東京", "t": number % 2},
    )  # fmt: skip

    page = render_page(evaluate(story.audit(), SEARCH))

    assert "<script>" not in page
    assert "<b>:" not in page


def test_stream_with_few_labels_is_not_monitored(story):
    story.flight("one")

    assert story.audit_result().monitoring.models == ()
