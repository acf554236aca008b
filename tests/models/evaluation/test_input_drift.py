"""Rows that are no longer like those before are noticed, and others are not."""

import numpy as np
import pytest

from modstream.models.evaluation.input_drift import InputWatch
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


def shown(watch, whole, chunk=100):
    """Everything that a watch found in rows that came in chunks, with the row where it knew."""
    found = {}
    for start in range(0, whole.size, chunk):
        part = range(start, min(start + chunk, whole.size))
        for name, moved in watch.add(whole.take(part)).items():
            found.setdefault(name, (start + chunk, moved))
    return found


def test_rows_of_one_kind_raise_no_alarm_in_400_000():
    assert [shown(InputWatch(), rows(seed)) for seed in range(20)] == [{}] * 20


@pytest.mark.parametrize("seed", range(5))
def test_a_number_that_moved_is_named_with_how_far(seed):
    watch = InputWatch()
    assert shown(watch, rows(seed, 10_000)) == {}

    found = shown(watch, rows(seed + 100, 4000, shift=10.0))

    assert set(found) == {"number"}
    at, moved = found["number"]
    assert at <= 3000
    assert moved == pytest.approx(1.0, abs=0.5)


@pytest.mark.parametrize("seed", range(5))
def test_words_that_were_never_seen_before_are_noticed(seed):
    watch = InputWatch()
    assert shown(watch, rows(seed, 10_000)) == {}

    found = shown(watch, rows(seed, 4000, words=("x", "y", "z")))

    assert found["word"][1] > 0


def test_after_an_alarm_the_new_rows_are_the_usual_ones():
    watch = InputWatch()
    shown(watch, rows(1, 10_000))
    shown(watch, rows(2, 10_000, shift=20.0))

    assert shown(watch, rows(3, 20_000, shift=20.0)) == {}


def test_a_number_that_never_changes_and_one_that_is_missing_at_times_do_no_harm():
    watch = InputWatch()
    random = np.random.default_rng(1)
    gaps = np.where(random.random(ROWS) < 0.5, np.nan, random.normal(0.0, 1.0, ROWS))

    assert shown(watch, batch(number=np.zeros(ROWS), gaps=gaps)) == {}
    assert set(shown(watch, batch(number=np.ones(ROWS), gaps=gaps))) == {"number"}


def test_one_row_in_so_many_is_looked_at_however_the_rows_are_cut():
    class Counting(InputWatch):
        looked = ()

        def _numbers(self, name, values):
            self.looked = (*self.looked, *values)
            return []

    watch = Counting(every=7)
    for start, stop in ((0, 3), (3, 4), (4, 24), (24, 24), (24, 50)):
        watch.add(batch(number=np.arange(start, stop)))

    assert watch.looked == tuple(range(0, 50, 7))
