"""Remembered failures: for how long, and how much memory they take."""

import gc
import weakref

import pytest

from modstream.models.registry.errors import ModelNotFound
from modstream.models.serving.negative_cache import MAX_CHARACTERS, NegativeCache
from tests.models.timing import ManualClock


def test_a_failure_that_repeats_is_remembered_twice_as_long_up_to_a_limit():
    clock = ManualClock()
    cache = NegativeCache(30.0, clock, max_ttl_seconds=100.0)
    error = ModelNotFound("m", 1)

    durations = []
    for _ in range(4):
        cache.record(("m", 1), error)
        started = clock.now
        while is_remembered(cache, ("m", 1)):
            clock.now += 1
        durations.append(clock.now - started)

    assert durations == [30, 60, 100, 100]


def test_without_a_longest_time_it_is_remembered_equally_long():
    clock = ManualClock()
    cache = NegativeCache(1.0, clock)
    for _ in range(5):
        cache.record(("m", 1), ModelNotFound("m", 1))
        clock.now += 1.0
        assert not is_remembered(cache, ("m", 1))


def is_remembered(cache, key):
    try:
        cache.raise_if_recent(key)
    except ModelNotFound:
        return True
    return False


def test_long_names_do_not_fill_the_memory():
    cache = NegativeCache(60.0)
    for number in range(1100):
        version = f"{number}" + 90_000 * "x"
        cache.record(("m", version), ModelNotFound("m", version))

    reasons = cache.reasons()

    assert 0 < sum(len(key[1]) + len(reason) for key, reason in reasons.items()) <= MAX_CHARACTERS
    assert next(reversed(reasons))[1].startswith("1099")


def test_a_remembered_failure_does_not_keep_the_batch_that_failed():
    class Batch:
        pass

    def fail(batch):
        raise ModelNotFound("m", 1)

    batch = Batch()
    is_alive = weakref.ref(batch)
    cache = NegativeCache(60.0)
    try:
        fail(batch)
    except ModelNotFound as error:
        cache.record(("m", 1), error)
    with pytest.raises(ModelNotFound):
        cache.raise_if_recent(("m", 1))

    del batch
    gc.collect()

    assert is_alive() is None
