"""How late labels come, and how many predictions of a version have theirs."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.processors.join.label_stats import (
    MOST_VERSIONS,
    Coverage,
    LabelFigures,
    bucket,
    quantile,
)
from tests.processors.join.join_log import HORIZON, TOPICS, Log, label, prediction

DAY_MS = 24 * 3600 * 1000


@given(st.integers(1, 365 * DAY_MS))
def test_a_delay_lies_in_a_bucket_that_is_at_most_a_fifth_wider(milliseconds):
    assert milliseconds <= bucket(milliseconds) <= milliseconds * 1.19 + 1


def test_a_label_that_came_before_its_prediction_has_no_delay():
    assert bucket(-5) == bucket(0) == 0


def test_quantiles_are_the_bounds_of_their_buckets():
    delays = Counter({1000: 90, 4000: 9, 16_000: 1})

    assert [quantile(delays, share) for share in (0.5, 0.95, 1.0)] == [1000, 4000, 16_000]
    assert quantile({}, 0.5) is None


def test_only_the_versions_that_predicted_last_are_followed():
    figures = LabelFigures()
    figures.predicted(prediction(model="steady"))
    for number in range(MOST_VERSIONS):
        figures.predicted(prediction(model=f"m{number}"))
        figures.predicted(prediction(model="steady"))

    assert len(figures.versions) == MOST_VERSIONS
    assert figures.versions["steady/3"].predicted == MOST_VERSIONS + 1
    assert "m0/3" not in figures.versions


def test_coverage_says_how_many_predictions_of_a_version_have_their_label():
    log = Log()
    for name in "abcd":
        log.append(TOPICS.predictions, prediction(name))
    log.append(TOPICS.predictions, prediction("a", "frozen"))
    log.append(TOPICS.labels, label("a", at=50))
    log.append(TOPICS.labels, label("b", at=60))
    log.append(TOPICS.labels, label("b", "no", 1, at=70))

    log.take(TOPICS.predictions)
    log.take(TOPICS.labels)
    figures = log.join.ledger.figures

    assert figures.versions == {"online/3": Coverage(4, 2), "frozen/3": Coverage(1, 1)}
    assert figures.versions["online/3"].values()["coverage"] == pytest.approx(0.5)
    assert figures.delays == Counter({bucket(50): 1, bucket(60): 1})


def test_a_prediction_that_is_given_up_counts_as_missing_and_survives_a_restart():
    log = Log()
    log.append(TOPICS.predictions, prediction("a"))
    log.append(TOPICS.predictions, prediction("later", at=10 * HORIZON))

    log.take(TOPICS.predictions)
    log.sweep()
    log.restart()

    assert log.join.ledger.figures.versions == {"online/3": Coverage(2, 0, 1)}
