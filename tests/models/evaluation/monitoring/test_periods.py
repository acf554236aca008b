"""Periods of event time, and blocks of rows."""

import numpy as np
import pytest

from modstream.models.evaluation.monitoring.periods import (
    DAY_MS,
    HOUR_MS,
    MAX_BLOCKS,
    block_unit,
    blocks_of,
    newest_periods,
    period_starts,
    period_unit,
)

APRIL = 1_364_774_400_000
"""2013-04-01."""


@pytest.mark.parametrize(("days", "unit"), [(1, "hour"), (14, "day"), (270, "month")])
def test_the_unit_depends_on_the_duration(days, unit):
    assert period_unit(APRIL, APRIL + days * DAY_MS) == unit


def test_starts_are_those_of_utc_months_days_and_hours():
    at = np.array([APRIL - 1, APRIL, APRIL + 31 * DAY_MS + 5 * HOUR_MS + 1])

    assert (period_starts(at, "month") - APRIL).tolist() == [-31 * DAY_MS, 0, 30 * DAY_MS]
    assert (period_starts(at, "day") - APRIL).tolist() == [-DAY_MS, 0, 31 * DAY_MS]
    assert period_starts(at, "hour")[2] == APRIL + 31 * DAY_MS + 5 * HOUR_MS


@pytest.mark.parametrize(("step", "unit"), [(DAY_MS, "day"), (HOUR_MS, "hour"), (1, "row")])
def test_blocks_are_days_if_there_are_enough_of_them(step, unit):
    times = APRIL + np.arange(12) * step

    assert block_unit(times) == unit


def test_blocks_are_numbered_and_bounded():
    times = APRIL + np.arange(5 * MAX_BLOCKS) * DAY_MS

    found = blocks_of(times, "day")

    assert np.unique(found).tolist() == list(range(MAX_BLOCKS))
    assert (np.diff(found) >= 0).all()
    assert blocks_of(times, "row") is None


def test_only_the_newest_periods_have_figures():
    starts = np.repeat(np.arange(500), 2)

    assert newest_periods(starts)[-1] == 499
    assert len(newest_periods(starts)) == 72
