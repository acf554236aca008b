"""The schedule: a function of the plan alone, with the plan's rates, bursts and key skew."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from modstream.producers.load.schedule import (
    CRAYFISH,
    LoadPhase,
    LoadPlan,
    build_schedule,
    periodic_bursts,
)

plans = st.builds(
    LoadPlan,
    rate=st.floats(1, 500),
    seconds=st.floats(0.1, 20),
    phases=st.lists(
        st.builds(LoadPhase, factor=st.floats(0, 3), seconds=st.floats(0.1, 5)),
        min_size=1,
        max_size=4,
    ).map(tuple),
    spacing=st.sampled_from(["even", "poisson"]),
    keys=st.integers(0, 50),
    zipf_exponent=st.floats(0, 2),
    bad_share=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)


def sent_between(plan: LoadPlan, start: float, end: float) -> int:
    due = build_schedule(plan).due_times
    return int(((due >= start) & (due < end)).sum())


@settings(max_examples=50, deadline=None)
@given(plan=plans)
def test_a_schedule_depends_on_its_plan_alone(plan):
    first, second = build_schedule(plan), build_schedule(plan)

    assert np.array_equal(first.due_times, second.due_times)
    assert np.array_equal(first.keys, second.keys)
    assert np.array_equal(first.bad_kinds, second.bad_kinds)
    assert first.due_times.size == first.keys.size == first.bad_kinds.size == first.size


@settings(max_examples=50, deadline=None)
@given(plan=plans)
def test_send_times_ascend_within_the_plan(plan):
    due = build_schedule(plan).due_times

    assert (np.diff(due) >= 0).all()
    assert not due.size or (due[0] >= 0 and due[-1] <= plan.seconds)


def test_a_steady_plan_sends_evenly():
    due = build_schedule(LoadPlan(rate=50, seconds=4)).due_times

    assert due.size == 200
    assert np.diff(due) == pytest.approx(0.02)


def test_each_period_ends_with_a_burst_of_the_given_factor():
    plan = LoadPlan(
        rate=100, seconds=20, phases=periodic_bursts(factor=3, period_seconds=10, burst_seconds=2)
    )

    assert sent_between(plan, 0, 8) == 800
    assert sent_between(plan, 8, 10) == 600
    assert sent_between(plan, 10, 18) == 800
    assert sent_between(plan, 18, 20) == 600
    assert build_schedule(plan).size == 2800


def test_the_crayfish_phases_are_two_minutes_below_and_half_a_minute_above_the_rate():
    plan = LoadPlan(rate=10, seconds=300, phases=CRAYFISH)

    counts = [sent_between(plan, start, start + 30) for start in range(0, 300, 30)]

    assert counts == pytest.approx([210, 210, 210, 210, 330] * 2, abs=1)


def test_a_pause_sends_nothing():
    shape = (LoadPhase(factor=1, seconds=1), LoadPhase(factor=0, seconds=1))
    plan = LoadPlan(rate=100, seconds=2, phases=shape)

    assert sent_between(plan, 0, 1) == 100
    assert build_schedule(plan).size == 100


def test_poisson_gaps_have_the_mean_and_deviation_of_a_poisson_process():
    gaps = np.diff(build_schedule(LoadPlan(rate=1000, seconds=50, spacing="poisson")).due_times)

    assert gaps.mean() == pytest.approx(0.001, rel=0.03)
    assert gaps.std() == pytest.approx(0.001, rel=0.05)


def test_keys_follow_the_zipf_distribution():
    key = build_schedule(LoadPlan(rate=10_000, seconds=10, keys=100, zipf_exponent=1)).keys

    count = np.bincount(key, minlength=100)
    assert count[0] / count[9] == pytest.approx(10, rel=0.15)
    assert count.sum() == 100_000


def test_without_keys_every_request_has_its_own_key():
    assert set(build_schedule(LoadPlan()).keys.tolist()) == {-1}


def test_bad_records_have_the_planned_share_and_all_kinds_occur():
    plan = LoadPlan(rate=1000, seconds=10, bad_share=0.1)

    kind = build_schedule(plan).bad_kinds
    assert (kind >= 0).mean() == pytest.approx(0.1, abs=0.01)
    assert set(kind.tolist()) == {-1, *range(len(plan.bad_kinds))}


@pytest.mark.parametrize(
    "invalid", [{"rate": 0}, {"seconds": -1}, {"bad_share": 1.5}, {"run_id": "a b"}, {"phases": ()}]
)
def test_an_invalid_plan_is_rejected(invalid):
    with pytest.raises(ValidationError):
        LoadPlan(**invalid)
