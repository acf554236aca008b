"""Figures of slices, and the search for the worst ones with a bound on false discoveries."""

import numpy as np
import pytest

from modstream.models.evaluation.metrics import log_loss
from modstream.models.evaluation.monitoring.features import CategoryColumn, NumberColumn
from modstream.models.evaluation.monitoring.scored_rows import ScoredRows
from modstream.models.evaluation.monitoring.slice_search import SliceSearch, find_worst_slices
from modstream.models.evaluation.monitoring.slices import figures_by_value

LEVEL = 0.05


def carriers(rng, size: int, count: int = 8) -> CategoryColumn:
    return CategoryColumn(rng.integers(0, count, size), tuple("ABCDEFGHIJKLMNOP"[:count]))


def a_stream(rng, size: int, planted=None):
    """Return rows of a calibrated model, but for rows of a planted slice, and their features."""
    columns = {
        "carrier": carriers(rng, size),
        "origin": carriers(rng, size, 3),
        "distance": NumberColumn(rng.exponential(1000, size)),
        "temp": NumberColumn(rng.normal(60, 15, size)),
        "hour": NumberColumn(rng.integers(5, 23, size).astype(float)),
    }
    probability = rng.beta(2, 5, size)
    truth = probability.copy()
    if planted is not None:
        hit = planted(columns)
        truth[hit] = np.minimum(truth[hit] + 0.3, 0.95)
    return ScoredRows("binary", (rng.random(size) < truth) * 1.0, probability), columns


def in_carrier_c_from_b(columns):
    return (columns["carrier"].codes == 2) & (columns["origin"].codes == 1)


def test_figures_by_value_are_those_of_the_rows():
    rng = np.random.default_rng(3)
    rows, columns = a_stream(rng, 2000)

    found = figures_by_value(rows, columns, ("origin", "no such feature"))

    inside = columns["origin"].codes == 1
    assert {one.name for one in found} == {f"origin: {name}" for name in "ABC"}
    second = next(one for one in found if one.name == "origin: B")
    assert second.count == inside.sum()
    assert second.loss == pytest.approx(log_loss(rows.labels[inside], rows.predictions[inside]))
    assert second.rest_loss == pytest.approx(
        log_loss(rows.labels[~inside], rows.predictions[~inside])
    )
    assert set(second.metrics) == {"accuracy", "auc", "observed", "predicted"}
    assert sum(one.count for one in found) == 2000


def test_regression_and_multiclass_have_their_own_losses():
    values = ScoredRows("regression", np.array([1.0, 2.0]), np.array([1.5, 4.0]))
    classes = ScoredRows("multiclass", np.array([0.0, 2.0]), np.array([0.0, 1.0]))

    assert values.losses().tolist() == [0.5, 2.0]
    assert classes.losses().tolist() == [0.0, 1.0]
    assert classes.metrics() == {"accuracy": 0.5}
    assert values.metrics() == {"observed": 1.5, "predicted": 2.75}


def test_planted_pair_is_found_and_is_the_worst():
    rows, columns = a_stream(np.random.default_rng(5), 20_000, in_carrier_c_from_b)

    found = find_worst_slices(rows, columns, SliceSearch(level=LEVEL))

    worst = found.slices[0]
    assert set(worst.conditions) == {("carrier", "C"), ("origin", "B")}
    assert worst.p_value < 1e-6
    assert worst.metrics["observed"] > worst.metrics["predicted"] + 0.2
    assert found.tested > 100


def test_pair_that_is_no_worse_than_one_of_its_values_is_not_found():
    rows, columns = a_stream(
        np.random.default_rng(6), 20_000, lambda columns: columns["carrier"].codes == 2
    )

    found = find_worst_slices(rows, columns, SliceSearch(level=LEVEL))

    assert [one.name for one in found.slices] == ["carrier: C"]


def test_found_slices_and_tested_values_are_bounded():
    rng = np.random.default_rng(7)
    columns = {f"f{at}": NumberColumn(rng.normal(size=5000)) for at in range(30)}
    loud = columns["f0"].numbers > 0
    rows = ScoredRows("regression", np.zeros(5000), rng.normal(size=5000) * (1 + 9 * loud))

    found = find_worst_slices(rows, columns, SliceSearch(max_features=3, max_found=2))

    assert len(found.slices) == 2 < found.found
    assert found.tested <= 3 * 11 + 3 * 11 * 11
    assert all(feature == "f0" for one in found.slices for feature, _ in one.conditions[:1])


def test_too_few_rows_have_no_slices():
    rows, columns = a_stream(np.random.default_rng(8), 150)

    assert find_worst_slices(rows, columns).tested == 0
    assert find_worst_slices(rows, {}).slices == ()


def share_of_runs_with_a_discovery(runs: int, size: int, seed: int) -> float:
    search, rng = SliceSearch(level=LEVEL, min_rows=50), np.random.default_rng(seed)
    found = [find_worst_slices(*a_stream(rng, size), search).found > 0 for _ in range(runs)]
    return float(np.mean(found))


def test_without_a_bad_slice_few_runs_find_one():
    assert share_of_runs_with_a_discovery(40, 1500, seed=9) <= LEVEL


@pytest.mark.slow
def test_without_a_bad_slice_the_share_of_runs_that_find_one_is_below_the_level():
    assert share_of_runs_with_a_discovery(200, 3000, seed=10) <= LEVEL


@pytest.mark.slow
def test_planted_slice_is_found_in_nearly_every_run():
    rng = np.random.default_rng(11)
    found = [
        find_worst_slices(*a_stream(rng, 8000, in_carrier_c_from_b), SliceSearch(level=LEVEL))
        for _ in range(40)
    ]

    planted = {("carrier", "C"), ("origin", "B")}
    hits = [any(set(one.conditions) == planted for one in each.slices) for each in found]
    assert np.mean(hits) >= 0.95


def a_stream_with_good_and_bad_days(rng, days: int, planted=None):
    """Return rows whose loss differs by day for a reason that no feature tells, and features.

    The weather is a feature that all rows of a day share.
    """
    size = days * 100
    day = np.repeat(np.arange(days), 100)
    columns = {
        "carrier": carriers(rng, size),
        "weekday": NumberColumn(day % 7.0),
        **{f"weather{number}": NumberColumn(rng.normal(size=days)[day]) for number in range(3)},
    }
    probability = rng.beta(2, 5, size)
    odds = probability / (1 - probability) * np.exp(rng.normal(0, 0.8, days))[day]
    truth = odds / (1 + odds)
    if planted is not None:
        truth[planted(columns)] = 0.8
    return ScoredRows("binary", (rng.random(size) < truth) * 1.0, probability), columns, day


def share_of_days_streams(runs: int, days: int, planted=None) -> tuple[float, float]:
    """Return the share of runs that find a slice with days as blocks, and with independent rows."""
    rng, by_day, by_row = np.random.default_rng(12), [], []
    for _ in range(runs):
        rows, columns, day = a_stream_with_good_and_bad_days(rng, days, planted)
        by_day.append(find_worst_slices(rows, columns, blocks=day).found > 0)
        by_row.append(find_worst_slices(rows, columns).found > 0)
    return float(np.mean(by_day)), float(np.mean(by_row))


def test_bad_days_are_no_bad_slices():
    by_day, by_row = share_of_days_streams(12, days=20)

    assert by_day <= LEVEL
    assert by_row > 0.5


def test_planted_slice_is_found_in_spite_of_bad_days():
    by_day, _ = share_of_days_streams(5, 20, lambda columns: columns["carrier"].codes == 3)

    assert by_day == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("days", [10, 40])
def test_bad_days_are_no_bad_slices_in_many_runs(days):
    by_day, _ = share_of_days_streams(60, days)

    assert by_day <= LEVEL
