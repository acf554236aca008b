"""Latencies: answers matched with requests in either order, and quantiles of a histogram."""

import numpy as np
import pytest

from modstream.dashboard.latency import (
    BINS,
    MAX_LATENCY_MS,
    LatencyBuckets,
    LatencyMatcher,
    bin_of,
    quantiles,
    upper_bound,
)
from modstream.dashboard.window import BUCKET_MS

START = 1_795_000_000_000


def histogram_of(latencies):
    buckets = LatencyBuckets()
    for latency in latencies:
        buckets.add(START, int(latency))
    return buckets.merged(START, START + BUCKET_MS, BUCKET_MS)


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_quantiles_are_at_most_nine_percent_above_the_exact_ones(share):
    latencies = np.random.default_rng(5).lognormal(3, 1.5, 4000).astype(int)
    exact = np.quantile(latencies, share, method="inverted_cdf")

    (found,) = quantiles(histogram_of(latencies), share)

    assert exact <= found + 0.05
    assert found <= 1.0906 * exact + 0.05


def test_bins_cover_all_latencies_without_gap():
    bounds = [upper_bound(number) for number in range(BINS)]

    assert bounds == sorted(bounds)
    for latency in (*range(2000), MAX_LATENCY_MS - 1, MAX_LATENCY_MS, 10**15):
        number = bin_of(latency)
        assert 0 <= number < BINS
        assert min(latency, MAX_LATENCY_MS) <= bounds[number] + 1e-6
        assert number == 0 or latency > bounds[number - 1] - 1e-6


def test_an_interval_without_answers_has_no_latency():
    buckets = LatencyBuckets()
    buckets.add(START, 16)

    found = quantiles(buckets.merged(START - BUCKET_MS, START + BUCKET_MS, BUCKET_MS), 0.5)

    assert found == (None, 16.0)


def test_forgotten_intervals_are_empty():
    buckets = LatencyBuckets()
    buckets.add(START, 16)
    buckets.forget_before(START + BUCKET_MS)

    assert buckets.merged(START, START + BUCKET_MS, BUCKET_MS).sum() == 0


def test_request_and_answer_are_matched_in_either_order():
    forwards, backwards = LatencyMatcher(), LatencyMatcher()

    assert forwards.add_request(0, 7, START) is None
    assert forwards.add_answer(0, 7, START + 30) == (START + 30, 30)
    assert backwards.add_answer(0, 7, START + 30) is None
    assert backwards.add_request(0, 7, START) == (START + 30, 30)


def test_only_the_first_answer_of_a_request_counts():
    matcher = LatencyMatcher()
    matcher.add_answer(0, 7, START + 30)
    matcher.add_answer(0, 7, START + 90)

    assert matcher.add_request(0, 7, START) == (START + 30, 30)


def test_a_request_whose_clock_is_ahead_has_the_latency_zero():
    matcher = LatencyMatcher()
    matcher.add_request(0, 7, START + 50)

    assert matcher.add_answer(0, 7, START) == (START, 0)


def test_a_refused_request_waits_no_longer():
    matcher = LatencyMatcher()
    matcher.add_request(0, 7, START)
    matcher.drop(0, 7)

    assert not matcher._requests


def test_sampling_is_by_offset():
    matcher = LatencyMatcher(sample_every=10)
    for offset in range(100):
        matcher.add_request(0, offset, START)

    found = [matcher.add_answer(0, offset, START + 1) for offset in range(100)]

    assert len([one for one in found if one is not None]) == 10


def test_the_number_of_waiting_requests_and_answers_is_bounded():
    matcher = LatencyMatcher(max_pending=10)
    for offset in range(100):
        matcher.add_request(0, offset, START)
        matcher.add_answer(1, offset, START)

    assert (len(matcher._requests), len(matcher._answers)) == (10, 10)
    assert matcher.add_answer(0, 99, START + 5) == (START + 5, 5)
    assert matcher.add_answer(0, 0, START + 5) is None
