"""A view is computed once for all who ask for it at the same revision."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier

from modstream.dashboard import view_cache
from modstream.dashboard.view_cache import MAX_ENTRIES, ViewCache


def test_a_view_is_computed_again_at_the_next_revision_and_for_other_arguments():
    cache, numbers = ViewCache(), count()

    found = [
        cache.get(key, revision, lambda: next(numbers))
        for key, revision in (("a", 1), ("a", 1), ("b", 1), ("a", 2), ("b", 1))
    ]

    assert found == [0, 0, 1, 2, 1]


def test_an_old_view_is_computed_again(monkeypatch):
    cache, numbers = ViewCache(), count()
    monkeypatch.setattr(view_cache, "MAX_AGE_S", 0.0)

    assert [cache.get("a", 1, lambda: next(numbers)) for _ in range(2)] == [0, 1]


def test_many_threads_cost_one_computation():
    cache, numbers, start = ViewCache(), count(), Barrier(8)

    def ask(_):
        start.wait()
        return cache.get("a", 1, lambda: next(numbers))

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(ask, range(8))) == {0}
    assert next(numbers) == 1


def test_the_number_of_views_is_bounded():
    cache = ViewCache()
    for number in range(100):
        cache.get(number, 1, lambda: 0)

    assert len(cache._views) == MAX_ENTRIES
