"""Drifted inputs are detected, stationary ones are not."""

import numpy as np
import pytest

from modstream.models.evaluation.input_drift import InputDriftMonitor
from modstream.models.schema.input_schema import Batch

ROWS = 20_000


def batch(**columns):
    return Batch({name: np.asarray(c) for name, c in columns.items()}, len(columns["number"]))


def rows(seed, count=ROWS, shift=0.0, words=("a", "b", "c")):
    random = np.random.default_rng(seed)
    return batch(
        number=random.normal(100.0 + shift, 10.0, count),
        other=random.exponential(1e6, count),
        count=random.poisson(3, count),
        flag=random.random(count) < 0.3,
        word=random.choice(np.array(words, dtype=object), count),
    )


def run(monitor, whole, chunk=100):
    """Return each drifted feature's first detection as (row, distance), fed in chunks."""
    found = {}
    for start in range(0, whole.size, chunk):
        part = range(start, min(start + chunk, whole.size))
        for name, distance in monitor.update(whole.take(part)).items():
            found.setdefault(name, (start + chunk, distance))
    return found


@pytest.mark.slow
def test_400_000_stationary_rows_raise_no_alarm():
    assert [run(InputDriftMonitor(), rows(seed)) for seed in range(20)] == [{}] * 20


@pytest.mark.parametrize("seed", range(5))
def test_a_shifted_mean_is_reported_by_feature_and_distance(seed):
    monitor = InputDriftMonitor()
    assert run(monitor, rows(seed, 10_000)) == {}

    found = run(monitor, rows(seed + 100, 4000, shift=10.0))

    assert set(found) == {"number"}
    row, distance = found["number"]
    assert row <= 3000
    assert distance == pytest.approx(1.0, abs=0.5)


@pytest.mark.parametrize("seed", range(5))
def test_unseen_strings_are_detected(seed):
    monitor = InputDriftMonitor()
    assert run(monitor, rows(seed, 10_000)) == {}

    found = run(monitor, rows(seed, 4000, words=("x", "y", "z")))

    assert found["word"][1] > 0


def test_after_an_alarm_the_new_distribution_is_the_reference():
    monitor = InputDriftMonitor()
    run(monitor, rows(1, 10_000))
    run(monitor, rows(2, 10_000, shift=20.0))

    assert run(monitor, rows(3, 20_000, shift=20.0)) == {}


def test_constant_features_and_missing_values_raise_no_false_alarm():
    monitor = InputDriftMonitor()
    random = np.random.default_rng(1)
    gaps = np.where(random.random(ROWS) < 0.5, np.nan, random.normal(0.0, 1.0, ROWS))

    assert run(monitor, batch(number=np.zeros(ROWS), gaps=gaps)) == {}
    assert set(run(monitor, batch(number=np.ones(ROWS), gaps=gaps))) == {"number"}


def test_every_nth_row_is_sampled_whatever_the_batch_sizes():
    class Counting(InputDriftMonitor):
        sampled = ()

        def _numbers(self, name, values):
            self.sampled = (*self.sampled, *values)
            return []

    monitor = Counting(sample_every=7)
    for start, stop in ((0, 3), (3, 4), (4, 24), (24, 24), (24, 50)):
        monitor.update(batch(number=np.arange(start, stop)))

    assert monitor.sampled == tuple(range(0, 50, 7))


def test_missing_values_are_left_out():
    monitor = InputDriftMonitor(sample_every=1)
    words = np.array([None, "a", None, "b"] * 100, dtype=object)
    nothing = np.array([None] * 400, dtype=object)
    numbers = np.where(np.arange(400) % 2, np.nan, 3.0)

    assert monitor.update(batch(number=numbers, word=words, other=nothing)) == {}


def test_extreme_numbers_and_long_strings_do_no_harm():
    monitor = InputDriftMonitor(sample_every=1)
    numbers = np.array([1e308, -1e308, np.inf, 5e-324] * 200)
    words = np.array([f"{'x' * 1000}{n}" for n in range(800)], dtype=object)

    monitor.update(batch(number=numbers, word=words))

    assert sum(map(len, monitor._surprises["word"]._counts)) <= 100
