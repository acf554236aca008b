"""The audit of a verification run: each test adds one kind of fault, and only that one is found."""

import pytest

from modstream.broker.client.publisher import UNKNOWN_OFFSET, DeliveryReport
from modstream.broker.errors import DeliveryFailed
from modstream.operations.verify.audit import Fault, Quiescence, find_misplaced
from modstream.operations.verify.outcomes import (
    DEAD_LETTER,
    ERROR_RESPONSE,
    PREDICTION,
    PartitionOffset,
)
from modstream.operations.verify.sent_log import SendStatus, SentLog
from tests.modstream.operations.verify.audited_runs import (
    DEAD_LETTERS,
    acknowledged,
    audited,
    respond,
    respond_to_all,
    sent_on,
)


@pytest.fixture
def sent_log():
    """Six acknowledged requests on two keys, each key in its own partition."""
    return sent_on("aabbab")


def test_run_whose_requests_were_answered_once_is_sound(sent_log):
    result = audited(sent_log, respond_to_all(sent_log))

    assert result.is_sound
    assert (result.requests, result.sent, result.exits) == (
        6,
        {SendStatus.OK: 6},
        {PREDICTION: 6},
    )


def lose(final):
    del final[2]


def duplicate(final):
    final.append(final[3]._replace(offset=9))


def duplicate_as_dead_letter(final):
    final.append(final[3]._replace(topic=DEAD_LETTERS, kind=DEAD_LETTER, value=None))


def invent(final):
    final.append(final[0]._replace(id="run-a-99", offset=9))


def swap(final):
    final[0], final[1] = final[1], final[0]


def change_the_value(final):
    final[1] = final[1]._replace(value=final[1].value + 1)


def change_the_source(final):
    final[1] = final[1]._replace(source=PartitionOffset(0, 77))


def reject_with_a_wrong_source(final):
    final[1] = final[1]._replace(kind=ERROR_RESPONSE, value=None, source=None)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lose, {"lost": 1}),
        (duplicate, {"duplicate": 1}),
        (duplicate_as_dead_letter, {"duplicate": 1}),
        (invent, {"phantom": 1}),
        (swap, {"reordered": 1}),
        (change_the_value, {"corrupted": 1}),
        (change_the_source, {"corrupted": 1}),
        (reject_with_a_wrong_source, {"corrupted": 1}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_each_fault_is_found_and_no_other(sent_log, damage, found):
    final = respond_to_all(sent_log)
    damage(final)

    result = audited(sent_log, final)

    assert result.fault_counts == found
    assert all(result.findings[Fault(fault)].examples for fault in found)


def test_outcome_may_refer_to_the_other_copy_of_a_request(sent_log):
    final = respond_to_all(sent_log)
    change_the_source(final)
    assert list(find_misplaced(sent_log.sent, final)) == [(final[1].id, PartitionOffset(0, 77))]

    sent_log.relocate(final[1].id, PartitionOffset(0, 77))

    assert audited(sent_log, final).is_sound


def test_partition_must_match_if_the_offset_is_unknown():
    sent_log = SentLog("run")
    sent = sent_log.create_request("a")
    acknowledged(sent_log, sent, UNKNOWN_OFFSET)
    said = respond(sent, 0, source=PartitionOffset(sent.partition, 7))

    assert audited(sent_log, [said]).is_sound
    moved = said._replace(source=PartitionOffset(sent.partition + 1, 7))
    assert audited(sent_log, [moved]).fault_counts == {"corrupted": 1}
    assert audited(sent_log, [said._replace(source=None)]).fault_counts == {"corrupted": 1}


def test_outcome_seen_by_a_committed_reader_must_be_final(sent_log):
    final = respond_to_all(sent_log)
    aborted = final[0]._replace(offset=50)

    assert audited(sent_log, final, observed=[*final, aborted]).fault_counts == {"aborted read": 1}
    assert audited(sent_log, final, observed=final[:2]).is_sound


def test_outcome_seen_by_an_uncommitted_reader_only_is_counted_as_aborted(sent_log):
    final = respond_to_all(sent_log)

    result = audited(sent_log, final, observed_uncommitted=[*final, final[0]._replace(offset=50)])

    assert result.is_sound
    assert result.aborted == 1


def test_partitions_that_are_not_quiescent_are_faults(sent_log):
    quiescence = Quiescence(("p:0: 3 stable of 5",), ("r:0: 1 committed of 2", "r:1: 0 of 2"))

    result = audited(sent_log, respond_to_all(sent_log), quiescence=quiescence)

    assert result.fault_counts == {"open transaction": 1, "uncommitted offset": 2}


@pytest.mark.parametrize("times", [0, 1])
def test_request_of_unknown_status_may_be_answered_once_or_not_at_all(sent_log, times):
    unknown = sent_log.create_request("a")
    late = DeliveryReport(None, None, DeliveryFailed("echoes.requests", "timed out"))
    sent_log.note_delivery(unknown, late)

    final = (
        respond_to_all(sent_on("aabbab"))
        + [respond(unknown, 6, source=PartitionOffset(3, 3))] * times
    )

    assert audited(sent_log, final).is_sound
    assert unknown.status is SendStatus.UNKNOWN


def test_request_of_unknown_status_must_not_be_answered_twice(sent_log):
    unknown = sent_log.create_request("a")

    final = [*respond_to_all(sent_on("aabbab")), respond(unknown, 6), respond(unknown, 7)]

    assert audited(sent_log, final).fault_counts == {"duplicate": 1}


def test_response_to_a_rejected_request_is_a_phantom(sent_log):
    refused = sent_log.create_request("a")
    error = DeliveryFailed("echoes.requests", "too large", is_rejected=True)
    sent_log.note_delivery(refused, DeliveryReport(None, None, error))

    assert audited(sent_log, respond_to_all(sent_on("aabbab"))).is_sound
    assert audited(sent_log, respond_to_all(sent_log)).fault_counts == {"phantom": 1}


def test_unreadable_dead_letter_belongs_to_the_request_at_its_position(sent_log):
    final = respond_to_all(sent_log)
    letter = {"topic": DEAD_LETTERS, "kind": DEAD_LETTER, "value": None, "id": ""}
    final[4] = final[4]._replace(**letter)

    assert audited(sent_log, final).is_sound
    moved = final[4]._replace(source=PartitionOffset(0, 99), offset=8)
    assert audited(sent_log, [*final, moved]).fault_counts == {"phantom": 1}
    assert audited(sent_log, [*final, moved], scope="run-").is_sound


def test_traffic_of_other_clients_is_audited_only_without_a_scope(sent_log):
    final = respond_to_all(sent_log)
    foreign = final[0]._replace(id="somebody", offset=12)

    assert audited(sent_log, [*final, foreign], scope="run-").is_sound
    assert audited(sent_log, [*final, foreign]).fault_counts == {"phantom": 1}
