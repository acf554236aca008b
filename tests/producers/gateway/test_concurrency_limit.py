"""The limit of waiting requests: it follows the latency, and lets bursts pass."""

from modstream.producers.gateway.concurrency_limit import (
    CALM_SECONDS,
    GRACE_SECONDS,
    OVERLOAD_SHARE,
    TOLERANCE,
    ConcurrencyLimit,
)

FAST, SLOW = 0.010, 0.100


def answer(limit, latency, seconds, start, in_flight=None):
    """Let requests be answered with a latency, 100 a second, for some seconds."""
    now = start
    while now < start + seconds:
        limit.add(latency, limit.value if in_flight is None else in_flight, now)
        now += 0.01
    return now


def test_slow_answers_shrink_the_limit_to_its_minimum_and_fast_ones_grow_it_to_its_maximum():
    limit = ConcurrencyLimit(16, 200)
    now = answer(limit, FAST, 1, 0.0)
    now = answer(limit, SLOW, 3, now)
    assert limit.value == 16
    now = answer(limit, FAST, 30, now)
    assert limit.value == 200


def test_the_limit_falls_below_its_minimum_while_most_calls_are_refused():
    limit, now = ConcurrencyLimit(16, 200), 0.0
    now = answer(limit, FAST, 1, now)
    refused = 0
    for _ in range(400):
        refused += sum(not limit.admits(200, now) for _ in range(3))
        limit.add(SLOW, limit.value, now)
        now += 0.01
    assert refused == 1200
    assert limit.value == int(16 * OVERLOAD_SHARE)
    answer(limit, SLOW, 1, now)
    assert limit.value == 16


def test_the_limit_settles_where_the_latency_is_tolerable():
    limit, rate, now = ConcurrencyLimit(1, 1000), 1000.0, 0.0
    limit.add(FAST, 1, now)
    for _ in range(20_000):
        now += 1 / rate
        limit.add(max(FAST, limit.value / rate), limit.value, now)
    assert limit.value / rate < 1.5 * TOLERANCE * limit.base
    assert limit.value > 0.5 * rate * FAST


def test_a_limit_that_is_not_used_does_not_grow():
    limit = ConcurrencyLimit(16, 200)
    before = limit.value
    answer(limit, FAST, 10, 0.0, in_flight=3)
    assert limit.value == before


def test_a_system_that_stays_slower_is_accepted_as_it_is_in_the_end():
    limit = ConcurrencyLimit(16, 200)
    now = answer(limit, FAST, 1, 0.0)
    now = answer(limit, 2 * FAST, 300, now)
    assert limit.value == 200


def test_a_burst_passes_and_a_lasting_one_is_refused_until_it_is_calm_again():
    limit = ConcurrencyLimit(16, 200)
    full = limit.value
    assert limit.admits(full, 10.0)
    assert limit.admits(199, 10.0 + GRACE_SECONDS / 2)
    assert not limit.admits(200, 10.0 + GRACE_SECONDS / 2)
    late = 10.0 + GRACE_SECONDS
    assert not limit.admits(full, late)
    assert limit.admits(full - 1, late)
    assert not limit.admits(full, late + CALM_SECONDS)
    assert limit.admits(full, late + 3 * CALM_SECONDS)


def test_equal_bounds_are_a_fixed_limit():
    limit = ConcurrencyLimit(512, 512)
    answer(limit, FAST, 1, 0.0)
    answer(limit, SLOW, 5, 1.0)
    assert limit.value == 512
    assert not limit.admits(512, 10.0)
