"""Summaries of the rounds, their ratios to the pass-through, and the targets."""

import pytest

from bench.results import Measurement, Missing, ResultSet, summarize, with_pass_through
from bench.targets import CPU, TARGETS, THROUGHPUT, Target

EO = "exactly_once"


def measurement(system, value, measure=THROUGHPUT, case="row8"):
    return Measurement("saturation", case, system, EO, measure, value)


def rounds(*pairs):
    """Yield measurements of rounds, given the values of the pass-through and of modstream."""
    for pass_through, ours in pairs:
        both = [measurement("pass-through", pass_through), measurement("modstream", ours)]
        yield from with_pass_through(both, lambda one: one.system == "pass-through")


def test_a_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_the_medians():
    pass_through, ours = summarize(rounds((100, 90), (10, 5), (1000, 950)))

    assert (ours.median, ours.minimum, ours.maximum, ours.rounds) == (90, 5, 950, 3)
    assert pass_through.ratio == 1.0
    assert ours.ratio == pytest.approx(0.9)


@pytest.mark.parametrize(("ours", "is_met"), [(96, True), (94, False)])
def test_a_target_for_a_ratio_is_compared_with_the_ratio(ours, is_met):
    summary = summarize(rounds((100, ours)))[1]

    assert summary.target == Target("saturation", "row8", THROUGHPUT, "ratio", minimum=0.95)
    assert summary.is_met is is_met


def test_without_a_pass_through_a_target_for_a_ratio_is_neither_met_nor_missed():
    (alone,) = summarize([measurement("modstream", 100)])

    assert alone.ratio is None
    assert alone.is_met is None


def test_only_modstream_has_targets():
    assert all(
        not target.applies_to(measurement("jvm", 1.0, target.measure, target.case))
        for target in TARGETS
    )


def test_processor_time_below_the_maximum_meets_the_target():
    target = next(
        target for target in TARGETS if target.applies_to(measurement("modstream", 0, CPU))
    )

    assert target.is_met_by(1.79)
    assert not target.is_met_by(1.81)
    assert str(target) == "ratio <= 1.8"


def test_measurements_of_different_systems_and_measures_have_separate_summaries():
    mixed = [measurement("modstream", 1), measurement("modstream", 2, CPU), measurement("jvm", 3)]

    assert [summary.median for summary in summarize(mixed)] == [1, 2, 3]


def test_a_result_set_keeps_measurements_and_missing_results_apart():
    results, missing = ResultSet(), Missing("saturation", "bin8", "modstream", EO, "not supported")
    results.add(missing)
    results.add(measurement("modstream", 1))

    assert results.missing == [missing]
    assert results.measurements == [measurement("modstream", 1)]


def test_a_target_of_one_delivery_mode_applies_to_the_load_that_it_names():
    target = next(target for target in TARGETS if target.part == "latency" and target.mode == EO)
    at_half = Measurement("latency", "50% of capacity, 9/s", "modstream", EO, target.measure, 1.0)

    assert target.applies_to(at_half)
    assert not target.applies_to(at_half._replace(case="75% of capacity, 14/s"))
    assert not target.applies_to(at_half._replace(mode="at_least_once"))
