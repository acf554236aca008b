"""The schedule: a pure function of the plan, with the rates, bursts and skew it asks for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from modstream.producers.load.schedule import CRAYFISH, LoadPlan, Phase, bursts, schedule

plans = st.builds(
    LoadPlan,
    rate=st.floats(1, 500),
    seconds=st.floats(0.1, 20),
    shape=st.lists(
        st.builds(Phase, factor=st.floats(0, 3), seconds=st.floats(0.1, 5)), min_size=1, max_size=4
    ).map(tuple),
    spacing=st.sampled_from(["even", "poisson"]),
    keys=st.integers(0, 50),
    zipf=st.floats(0, 2),
    bad=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)


def sent_between(plan: LoadPlan, start: float, end: float) -> int:
    due = schedule(plan).due
    return int(((due >= start) & (due < end)).sum())


@settings(max_examples=50, deadline=None)
@given(plan=plans)
def test_a_schedule_follows_from_its_plan_alone(plan):
    one, other = schedule(plan), schedule(plan)

    assert np.array_equal(one.due, other.due)
    assert np.array_equal(one.key, other.key)
    assert np.array_equal(one.kind, other.kind)
    assert one.due.size == one.key.size == one.kind.size == one.size


@settings(max_examples=50, deadline=None)
@given(plan=plans)
def test_send_times_ascend_within_the_plan(plan):
    due = schedule(plan).due

    assert (np.diff(due) >= 0).all()
    assert not due.size or (due[0] >= 0 and due[-1] <= plan.seconds)


def test_a_steady_plan_sends_evenly():
    due = schedule(LoadPlan(rate=50, seconds=4)).due

    assert due.size == 200
    assert np.diff(due) == pytest.approx(0.02)


def test_a_burst_comes_at_the_end_of_each_period_with_its_factor():
    plan = LoadPlan(rate=100, seconds=20, shape=bursts(factor=3, every=10, length=2))

    assert sent_between(plan, 0, 8) == 800
    assert sent_between(plan, 8, 10) == 600
    assert sent_between(plan, 10, 18) == 800
    assert sent_between(plan, 18, 20) == 600
    assert schedule(plan).size == 2800


def test_the_crayfish_shape_is_two_minutes_below_and_half_a_minute_above():
    plan = LoadPlan(rate=10, seconds=300, shape=CRAYFISH)

    counts = [sent_between(plan, start, start + 30) for start in range(0, 300, 30)]

    assert counts == pytest.approx([210, 210, 210, 210, 330] * 2, abs=1)


def test_a_pause_sends_nothing():
    shape = (Phase(factor=1, seconds=1), Phase(factor=0, seconds=1))
    plan = LoadPlan(rate=100, seconds=2, shape=shape)

    assert sent_between(plan, 0, 1) == 100
    assert schedule(plan).size == 100


def test_poisson_arrivals_have_the_rate_and_the_spread_of_a_poisson_process():
    gaps = np.diff(schedule(LoadPlan(rate=1000, seconds=50, spacing="poisson")).due)

    assert gaps.mean() == pytest.approx(0.001, rel=0.03)
    assert gaps.std() == pytest.approx(0.001, rel=0.05)


def test_keys_are_skewed_as_zipf_says():
    key = schedule(LoadPlan(rate=10_000, seconds=10, keys=100, zipf=1)).key

    count = np.bincount(key, minlength=100)
    assert count[0] / count[9] == pytest.approx(10, rel=0.15)
    assert count.sum() == 100_000


def test_without_keys_every_request_has_its_own():
    assert set(schedule(LoadPlan()).key.tolist()) == {-1}


def test_the_share_of_bad_records_is_kept_and_all_kinds_occur():
    plan = LoadPlan(rate=1000, seconds=10, bad=0.1)

    kind = schedule(plan).kind
    assert (kind >= 0).mean() == pytest.approx(0.1, abs=0.01)
    assert set(kind.tolist()) == {-1, *range(len(plan.kinds))}


@pytest.mark.parametrize(
    "fault", [{"rate": 0}, {"seconds": -1}, {"bad": 1.5}, {"run": "a b"}, {"shape": ()}]
)
def test_an_impossible_plan_is_refused(fault):
    with pytest.raises(ValidationError):
        LoadPlan(**fault)
