"""Properties of the audit of a verification run."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modstream.operations.verify.audit import Fault
from modstream.operations.verify.sent_log import hash_to_24_bits
from tests.modstream.operations.verify.audited_runs import (
    audited,
    respond,
    respond_to_all,
    sent_on,
)


def test_batch_answered_twice_is_duplicated_but_not_reordered():
    sent_log = sent_on("aaa")
    final = respond_to_all(sent_log)

    result = audited(sent_log, final + [one._replace(offset=one.offset + 3) for one in final])

    assert result.fault_counts == {"duplicate": 3}


@given(st.permutations(range(7)))
def test_responses_of_one_key_are_in_order_only_if_their_sequences_rise(order):
    sent_log = sent_on("a" * 7)
    asked = list(sent_log.sent.values())

    result = audited(sent_log, [respond(asked[n], offset) for offset, n in enumerate(order)])

    inversions = sum(n < max(order[:place], default=-1) for place, n in enumerate(order))
    assert result.count(Fault.REORDERED) == inversions


@given(st.lists(st.sampled_from([0, 1, 2, 3]), min_size=1, max_size=30))
def test_lost_and_duplicate_outcomes_add_up(times):
    sent_log = sent_on("a" * len(times))
    asked = list(sent_log.sent.values())
    ways = [sent for sent, count in zip(asked, times, strict=True) for _ in range(count)]

    result = audited(sent_log, [respond(sent, offset) for offset, sent in enumerate(ways)])

    assert result.count(Fault.LOST) == times.count(0)
    assert result.count(Fault.DUPLICATE) == sum(count - 1 for count in times if count)
    assert result.count(Fault.REORDERED) == 0


@given(st.text(min_size=1, max_size=40))
def test_hash_is_exact_in_float32(name):
    assert np.float32(hash_to_24_bits(name)) == hash_to_24_bits(name)
