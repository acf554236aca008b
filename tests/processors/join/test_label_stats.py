"""Label delays, and label coverage by model version."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.processors.join.label_stats import (
    MAX_VERSIONS,
    LabelCoverage,
    LabelStats,
    delay_bucket,
    delay_quantile,
)
from tests.processors.join.join_log import HORIZON, TOPICS, JoinHarness, label, prediction

DAY_MS = 24 * 3600 * 1000


@given(st.integers(1, 365 * DAY_MS))
def test_bucket_bound_exceeds_a_delay_by_at_most_a_fifth(milliseconds):
    assert milliseconds <= delay_bucket(milliseconds) <= milliseconds * 1.19 + 1


def test_label_before_its_prediction_has_no_delay():
    assert delay_bucket(-5) == delay_bucket(0) == 0


def test_quantiles_are_bucket_bounds():
    delays = Counter({1000: 90, 4000: 9, 16_000: 1})

    assert [delay_quantile(delays, share) for share in (0.5, 0.95, 1.0)] == [1000, 4000, 16_000]
    assert delay_quantile({}, 0.5) is None


def test_only_the_versions_that_predicted_most_recently_are_tracked():
    stats = LabelStats()
    stats.count_prediction(prediction(model="steady"))
    for number in range(MAX_VERSIONS):
        stats.count_prediction(prediction(model=f"m{number}"))
        stats.count_prediction(prediction(model="steady"))

    assert len(stats.versions) == MAX_VERSIONS
    assert stats.versions["steady/3"].predicted == MAX_VERSIONS + 1
    assert "m0/3" not in stats.versions


def test_coverage_is_the_share_of_predictions_with_a_label():
    harness = JoinHarness()
    for name in "abcd":
        harness.append(TOPICS.predictions, prediction(name))
    harness.append(TOPICS.predictions, prediction("a", "frozen"))
    harness.append(TOPICS.labels, label("a", at=50))
    harness.append(TOPICS.labels, label("b", at=60))
    harness.append(TOPICS.labels, label("b", "no", 1, at=70))

    harness.process(TOPICS.predictions)
    harness.process(TOPICS.labels)
    stats = harness.join.state.label_stats

    assert stats.versions == {"online/3": LabelCoverage(4, 2), "frozen/3": LabelCoverage(1, 1)}
    assert stats.versions["online/3"].values()["coverage"] == pytest.approx(0.5)
    assert stats.delays == Counter({delay_bucket(50): 1, delay_bucket(60): 1})


def test_given_up_prediction_counts_as_missing_after_a_restart_too():
    harness = JoinHarness()
    harness.append(TOPICS.predictions, prediction("a"))
    harness.append(TOPICS.predictions, prediction("later", at=10 * HORIZON))

    harness.process(TOPICS.predictions)
    harness.advance_time()
    harness.restart()

    assert harness.join.state.label_stats.versions == {"online/3": LabelCoverage(2, 0, 1)}
