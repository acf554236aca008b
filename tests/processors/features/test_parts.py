"""Exact sums, sketches and bytes: the parts of which partial aggregates are made."""

import math
from fractions import Fraction
from itertools import accumulate, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modstream.processors.errors import UnreadableFeatureState
from modstream.processors.features.codec import (
    decode_key,
    decode_partial,
    encode_key,
    encode_partial,
)
from modstream.processors.features.events import PartialKey
from modstream.processors.features.exact_sum import add, exact, quotient
from modstream.processors.features.partials import KINDS
from modstream.processors.features.sketches import (
    MAX_HASHES,
    bucket_of,
    distinct_count,
    hash_of,
    merge_hashes,
    middle_of,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def total(values):
    mantissa, shift = 0, 0
    for one in values:
        mantissa, shift = add(mantissa, shift, *exact(one))
    return mantissa, shift


@settings(max_examples=50)
@given(st.lists(FINITE, max_size=4))
def test_a_sum_is_exact_and_the_same_for_every_order(values):
    found = {total(one) for one in permutations(values)}

    assert len(found) == 1
    mantissa, shift = found.pop()
    assert Fraction(mantissa, 2**shift) == sum(map(Fraction, values))
    try:
        expected = math.fsum(values)
    except OverflowError:
        return
    assert quotient(mantissa, shift) == expected


def test_a_float_sum_would_depend_on_the_order():
    values = [1e16, 1.0, -1e16]

    assert {list(accumulate(one))[-1] for one in permutations(values)} == {0.0, 1.0}
    assert {quotient(*total(one)) for one in permutations(values)} == {1.0}


def test_a_sum_that_is_too_large_is_infinite():
    assert quotient(*total([1e308] * 2)) == math.inf
    assert quotient(*total([-1e308] * 2)) == -math.inf


@settings(max_examples=200)
@given(FINITE, FINITE)
def test_buckets_have_the_order_of_the_values_and_a_close_middle(one, other):
    low, high = sorted((one, other))

    assert bucket_of(low) <= bucket_of(high)
    if abs(one) > 1e-300:
        assert abs(middle_of(bucket_of(one)) - one) <= abs(one) / 128
    assert bucket_of(middle_of(bucket_of(one))) == bucket_of(one)


def test_distinct_values_are_counted_exactly_up_to_a_limit_and_then_estimated():
    found = ()
    for number in range(20_000):
        found = merge_hashes(found, (hash_of(str(number)),))
        if number + 1 < MAX_HASHES:
            assert distinct_count(found) == number + 1

    assert len(found) == MAX_HASHES
    assert distinct_count(found) == pytest.approx(20_000, rel=0.25)


PARTIALS = {
    "count": st.integers(-5, 2**40),
    "moments": st.tuples(
        st.integers(0, 2**40), st.integers(-(2**700), 2**700), st.integers(0, 1074)
    ),
    "min": FINITE,
    "max": FINITE,
    "newest": st.integers(-(2**50), 2**50),
    "last": st.tuples(st.integers(0, 2**50), st.text(max_size=5), FINITE),
    "hashes": st.lists(st.integers(0, 2**64 - 1), max_size=5, unique=True).map(
        lambda hashes: tuple(sorted(hashes))
    ),
    "histogram": st.dictionaries(st.integers(-(10**6), 10**6), st.integers(1, 9), max_size=5).map(
        lambda counts: tuple(sorted(counts.items()))
    ),
}


def test_every_kind_is_tested():
    assert PARTIALS.keys() == KINDS.keys()


@settings(max_examples=100)
@given(
    st.sampled_from(sorted(PARTIALS)).flatmap(lambda kind: st.tuples(st.just(kind), PARTIALS[kind]))
)
def test_a_partial_aggregate_comes_back_from_its_bytes(found):
    kind, partial = found

    again = decode_partial(kind, encode_partial(kind, partial))

    assert again == partial
    assert type(again) is type(partial)


@settings(max_examples=50)
@given(
    st.text(max_size=5),
    st.builds(
        PartialKey, st.text(max_size=5), st.tuples(st.text(max_size=5)), st.integers(-9, 2**60)
    ),
)
def test_a_key_comes_back_from_its_bytes(owner, key):
    assert decode_key(encode_key(owner, key)) == (owner, key)


@pytest.mark.parametrize("content", [b"", b"\xc1", b"{}", b'["a", "b", 3, 4]', b"\xff\xfe"])
def test_bytes_that_are_no_state_are_refused(content):
    with pytest.raises(UnreadableFeatureState):
        decode_key(content)
    with pytest.raises(UnreadableFeatureState):
        decode_partial("moments", content)
