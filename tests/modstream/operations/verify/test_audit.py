"""The account of a run: each kind of fault is seeded, and found, and only that one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.client.publisher import UNKNOWN_OFFSET, Delivered
from modstream.broker.errors import DeliveryFailed
from modstream.broker.wire.records import Record
from modstream.operations.verify.audit import Fault, Standing, account, elsewhere
from modstream.operations.verify.outcomes import DEAD_LETTER, PREDICTION, REFUSAL, Place, Sighting
from modstream.operations.verify.sent_log import Fate, Journal, hashed

ANSWERS, LETTERS = "echoes.predictions", "echoes.dlq"


@pytest.fixture
def journal():
    """Six requests on two keys, all acknowledged, each key in a partition of its own."""
    return sent_on("aabbab")


def sent_on(keys):
    journal = Journal("run")
    for offset, key in enumerate(keys):
        acknowledged(journal, journal.enter(key), offset)
    return journal


def acknowledged(journal, sent, offset):
    partition = ord(sent.key) % 4
    record = Record("echoes.requests", partition, offset, sent.key.encode(), b"")
    journal.note(sent, Delivered(sent.outgoing("echoes.requests", "echo"), record, None))


def answer(sent, offset, **changes):
    facts = {
        "topic": ANSWERS,
        "partition": ord(sent.key) % 4,
        "offset": offset,
        "id": sent.id,
        "kind": PREDICTION,
        "model": "echo",
        "value": float(sent.value),
        "source": Place(sent.partition, sent.offset),
    }
    return Sighting(**(facts | changes))


def answers(journal):
    return [answer(sent, offset) for offset, sent in enumerate(journal.sent.values())]


def judged(journal, final, **changes):
    return account(
        **({"sent": journal.sent, "seen": final, "unfiltered": final, "final": final} | changes)
    )


def test_a_run_whose_requests_were_answered_once_is_sound(journal):
    verdict = judged(journal, answers(journal))

    assert verdict.is_sound
    assert (verdict.requests, verdict.sent, verdict.ways_out) == (6, {Fate.OK: 6}, {PREDICTION: 6})


def lose(final):
    del final[2]


def double(final):
    final.append(final[3]._replace(offset=9))


def double_as_dead_letter(final):
    final.append(final[3]._replace(topic=LETTERS, kind=DEAD_LETTER, value=None))


def invent(final):
    final.append(final[0]._replace(id="run-a-99", offset=9))


def swap(final):
    final[0], final[1] = final[1], final[0]


def change_the_value(final):
    final[1] = final[1]._replace(value=final[1].value + 1)


def change_the_source(final):
    final[1] = final[1]._replace(source=Place(0, 77))


def refuse_with_a_wrong_source(final):
    final[1] = final[1]._replace(kind=REFUSAL, value=None, source=None)


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (lose, {"lost": 1}),
        (double, {"duplicate": 1}),
        (double_as_dead_letter, {"duplicate": 1}),
        (invent, {"phantom": 1}),
        (swap, {"reordered": 1}),
        (change_the_value, {"corrupted": 1}),
        (change_the_source, {"corrupted": 1}),
        (refuse_with_a_wrong_source, {"corrupted": 1}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_went_wrong_is_found_and_nothing_else(journal, harm, found):
    final = answers(journal)
    harm(final)

    verdict = judged(journal, final)

    assert verdict.found == found
    assert all(verdict.findings[Fault(fault)].examples for fault in found)


def test_an_answer_may_name_the_other_place_of_a_request_that_its_client_wrote_twice(journal):
    final = answers(journal)
    change_the_source(final)
    assert list(elsewhere(journal.sent, final)) == [(final[1].id, Place(0, 77))]

    journal.relocate(final[1].id, Place(0, 77))

    assert judged(journal, final).is_sound


def test_where_the_broker_could_not_tell_a_requests_place_its_partition_must_fit():
    journal = Journal("run")
    sent = journal.enter("a")
    acknowledged(journal, sent, UNKNOWN_OFFSET)
    said = answer(sent, 0, source=Place(sent.partition, 7))

    assert judged(journal, [said]).is_sound
    moved = said._replace(source=Place(sent.partition + 1, 7))
    assert judged(journal, [moved]).found == {"corrupted": 1}
    assert judged(journal, [said._replace(source=None)]).found == {"corrupted": 1}


def test_what_a_reader_of_committed_records_saw_must_stand_in_the_end(journal):
    final = answers(journal)
    aborted = final[0]._replace(offset=50)

    assert judged(journal, final, seen=[*final, aborted]).found == {"aborted read": 1}
    assert judged(journal, final, seen=final[:2]).is_sound


def test_what_only_a_reader_of_uncommitted_records_saw_is_no_fault_and_counted(journal):
    final = answers(journal)

    verdict = judged(journal, final, unfiltered=[*final, final[0]._replace(offset=50)])

    assert verdict.is_sound
    assert verdict.aborted == 1


def test_partitions_that_did_not_come_to_rest_are_faults(journal):
    standing = Standing(("p:0: 3 stable of 5",), ("r:0: 1 committed of 2", "r:1: 0 of 2"))

    verdict = judged(journal, answers(journal), standing=standing)

    assert verdict.found == {"open transaction": 1, "uncommitted offset": 2}


@pytest.mark.parametrize("times", [0, 1])
def test_a_request_of_unknown_fate_may_be_answered_once_or_not_at_all(journal, times):
    doubtful = journal.enter("a")
    late = Delivered(None, None, DeliveryFailed("echoes.requests", "timed out"))
    journal.note(doubtful, late)

    final = answers(sent_on("aabbab")) + [answer(doubtful, 6, source=Place(3, 3))] * times

    assert judged(journal, final).is_sound
    assert doubtful.fate is Fate.UNKNOWN


def test_a_request_of_unknown_fate_may_not_be_answered_twice(journal):
    doubtful = journal.enter("a")

    final = [*answers(sent_on("aabbab")), answer(doubtful, 6), answer(doubtful, 7)]

    assert judged(journal, final).found == {"duplicate": 1}


def test_an_answer_to_a_request_that_was_refused_is_a_phantom(journal):
    refused = journal.enter("a")
    error = DeliveryFailed("echoes.requests", "too large", refused=True)
    journal.note(refused, Delivered(None, None, error))

    assert judged(journal, answers(sent_on("aabbab"))).is_sound
    assert judged(journal, answers(journal)).found == {"phantom": 1}


def test_a_dead_letter_that_nobody_can_read_belongs_to_the_request_whose_place_it_names(journal):
    final = answers(journal)
    letter = {"topic": LETTERS, "kind": DEAD_LETTER, "value": None, "id": ""}
    final[4] = final[4]._replace(**letter)

    assert judged(journal, final).is_sound
    moved = final[4]._replace(source=Place(0, 99), offset=8)
    assert judged(journal, [*final, moved]).found == {"phantom": 1}
    assert judged(journal, [*final, moved], scope="run-").is_sound


def test_other_peoples_traffic_is_judged_only_by_who_is_alone_on_the_stream(journal):
    final = answers(journal)
    foreign = final[0]._replace(id="somebody", offset=12)

    assert judged(journal, [*final, foreign], scope="run-").is_sound
    assert judged(journal, [*final, foreign]).found == {"phantom": 1}


def test_a_batch_that_was_answered_twice_is_doubled_and_not_reordered_as_well():
    journal = sent_on("aaa")
    final = answers(journal)

    verdict = judged(journal, final + [one._replace(offset=one.offset + 3) for one in final])

    assert verdict.found == {"duplicate": 3}


@given(st.permutations(range(7)))
def test_answers_of_one_key_are_in_order_only_if_their_sequences_rise(order):
    journal = sent_on("a" * 7)
    asked = list(journal.sent.values())

    verdict = judged(journal, [answer(asked[n], offset) for offset, n in enumerate(order)])

    inversions = sum(n < max(order[:place], default=-1) for place, n in enumerate(order))
    assert verdict.count(Fault.REORDERED) == inversions


@given(st.lists(st.sampled_from([0, 1, 2, 3]), min_size=1, max_size=30))
def test_what_is_lost_and_what_is_doubled_add_up(times):
    journal = sent_on("a" * len(times))
    asked = list(journal.sent.values())
    ways = [sent for sent, count in zip(asked, times, strict=True) for _ in range(count)]

    verdict = judged(journal, [answer(sent, offset) for offset, sent in enumerate(ways)])

    assert verdict.count(Fault.LOST) == times.count(0)
    assert verdict.count(Fault.DUPLICATE) == sum(count - 1 for count in times if count)
    assert verdict.count(Fault.REORDERED) == 0


@given(st.text(min_size=1, max_size=40))
def test_a_hash_is_exact_in_float32(name):
    assert np.float32(hashed(name)) == hashed(name)
