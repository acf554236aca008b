"""What rounds of figures come to, beside the limit and the goals."""

import pytest

from bench.results import Book, Finding, Gap, summaries, with_limits
from bench.targets import CPU, GOALS, THROUGHPUT, Goal

EO = "exactly_once"


def found(subject, value, measure=THROUGHPUT, case="row8"):
    return Finding("saturation", case, subject, EO, measure, value)


def rounds(*pairs):
    """Findings of rounds in each of which limit and modstream reached so much."""
    for limit, ours in pairs:
        both = [found("pass-through", limit), found("modstream", ours)]
        yield from with_limits(both, lambda one: one.subject == "pass-through")


def test_a_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_the_medians():
    limit, ours = summaries(rounds((100, 90), (10, 5), (1000, 950)))

    assert (ours.middle, ours.low, ours.high, ours.rounds) == (90, 5, 950, 3)
    assert limit.ratio == 1.0
    assert ours.ratio == pytest.approx(0.9)


@pytest.mark.parametrize(("ours", "reached"), [(96, True), (94, False)])
def test_a_goal_for_a_ratio_is_held_against_the_ratio(ours, reached):
    summary = summaries(rounds((100, ours)))[1]

    assert summary.goal == Goal("saturation", "row8", THROUGHPUT, "ratio", least=0.95)
    assert summary.reached is reached


def test_a_ratio_that_nothing_was_measured_for_reaches_and_misses_no_goal():
    (alone,) = summaries([found("modstream", 100)])

    assert alone.ratio is None
    assert alone.reached is None


def test_only_modstream_has_goals():
    assert all(not goal.is_for(found("jvm", 1.0, goal.measure, goal.case)) for goal in GOALS)


def test_less_processor_time_than_the_most_reaches_the_goal():
    goal = next(goal for goal in GOALS if goal.is_for(found("modstream", 0, CPU)))

    assert goal.is_reached(1.79)
    assert not goal.is_reached(1.81)
    assert str(goal) == "ratio <= 1.8"


def test_figures_of_different_subjects_and_measures_are_kept_apart():
    mixed = [found("modstream", 1), found("modstream", 2, CPU), found("jvm", 3)]

    assert [summary.middle for summary in summaries(mixed)] == [1, 2, 3]


def test_a_book_keeps_figures_and_gaps_apart():
    book, gap = Book(), Gap("saturation", "bin8", "modstream", EO, "not supported")
    book.add(gap)
    book.add(found("modstream", 1))

    assert book.gaps == [gap]
    assert book.findings == [found("modstream", 1)]


def test_a_goal_of_one_delivery_holds_for_the_load_that_it_names():
    goal = next(goal for goal in GOALS if goal.part == "latency" and goal.mode == EO)
    at_half = Finding("latency", "50% of capacity, 9/s", "modstream", EO, goal.measure, 1.0)

    assert goal.is_for(at_half)
    assert not goal.is_for(at_half._replace(case="75% of capacity, 14/s"))
    assert not goal.is_for(at_half._replace(mode="at_least_once"))
