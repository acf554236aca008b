"""The token bucket of the soft rules, and the circuit breaker of each source."""

from modstream.processors.guard.budgets import SourceBreaker, TokenBucket


def test_a_bucket_lasts_for_a_share_of_the_rows():
    bucket = TokenBucket(tokens_per_row=0.05, capacity=50)

    taken = 0
    for _ in range(10_000):
        bucket.add_row()
        taken += bucket.take()

    assert 500 <= taken <= 550


def test_a_bucket_holds_no_more_than_its_capacity():
    bucket = TokenBucket(tokens_per_row=0.5, capacity=3)
    for _ in range(100):
        bucket.add_row()

    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def rejections(breaker, source, violations):
    """Process a source's rows; return for each whether the breaker rejected it."""
    rejected = []
    for is_violation in violations:
        rejected.append(breaker.rejects_row(source))
        if not rejected[-1]:
            breaker.record_row(source, is_violation=is_violation)
    return rejected


def test_a_breaker_opens_for_a_number_of_rows_and_then_starts_afresh():
    breaker = SourceBreaker(max_share=0.25, window=100, open_for=40)

    rejected = rejections(breaker, "bad", [n % 2 == 0 for n in range(100)])

    assert rejected == [False] * 25 + [True] * 40 + [False] * 25 + [True] * 10


def test_other_sources_are_not_affected():
    breaker = SourceBreaker(max_share=0.25, window=100, open_for=40)
    rejections(breaker, "bad", [True] * 60)

    assert not any(rejections(breaker, "good", [n % 5 == 0 for n in range(1000)]))


def test_only_recent_rows_count():
    breaker = SourceBreaker(max_share=0.25, window=100, open_for=40)
    rejections(breaker, "once", [n % 5 == 0 for n in range(100)])

    assert not any(rejections(breaker, "once", [False] * 100 + [True] * 25))
    assert rejections(breaker, "once", [True, True]) == [False, True]


def test_a_share_of_0_switches_the_breaker_off():
    breaker = SourceBreaker(max_share=0, window=100, open_for=40)

    assert not any(rejections(breaker, "bad", [True] * 200))
