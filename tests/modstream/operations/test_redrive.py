"""Redrive on a real Kafka: each dead letter is sent back once, even if the process is killed."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import time

import pytest
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.offset_skipper import SkippedOffsets
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.client.transactional_publisher import TransactionalPublisher
from modstream.broker.errors import (
    NotJson,
    OffsetsUnreadable,
    ProducerLost,
    RecordTooLarge,
    TransactionAborted,
)
from modstream.broker.wire.batches import MAX_TRANSACTION_BYTES, split_batches
from modstream.broker.wire.dead_letters import build_dead_letter
from modstream.broker.wire.records import ProducerRecord, Record, TopicPartition
from modstream.broker.wire.topics import Header, Topics
from modstream.operations.redrive import (
    MAX_PUBLISH_ATTEMPTS,
    Redrive,
    dead_letters,
    publish_with_retries,
)
from modstream.processors.redrive.selection import LetterFilter
from tests.modstream.operations.redrive_process import RECORDS_PER_TRANSACTION

FIRST_TIMESTAMP = int(time() * 1000)
"""A broker deletes records that are older than their topic's retention at any moment."""

PROGRAM = Path(__file__).with_name("redrive_process.py")
ROOT = PROGRAM.parents[3]
LETTERS = 100


class Stream:
    """A stream whose dead letters are written by the test."""

    def __init__(self, bootstrap, prefix):
        self.bootstrap, self.prefix = bootstrap, prefix
        self.connection = Connection(bootstrap)
        self.topics = Topics("flights", prefix)
        Admin(self.connection).create(self.topics.specs(4))
        self.redriver = Redrive(self.connection, dead_letters(self.topics))

    def add_letters(self, count, cause=None, topic=None, first=0):
        """Write dead letters; their timestamps decrease, which Kafka allows."""
        with Publisher(self.connection) as publisher:
            for n in range(first, first + count):
                record = Record(
                    topic or self.topics.requests, 0, n, b"key-%d" % (n % 7), b"\x00 %d" % n,
                    (("n", b"%d" % n),), FIRST_TIMESTAMP - n,
                )  # fmt: skip
                publisher.send(
                    build_dead_letter(
                        record, self.topics.dlq, cause or NotJson("no"), "VALUE_CONVERTER"
                    )
                )
            publisher.flush()

    def redrive(self, selection=None):
        name = self.topics.group("redrive")
        with TransactionalPublisher(self.connection, name) as publisher:
            return self.redriver.run(selection or LetterFilter(), publisher)

    def requests(self, *, committed=True):
        return list(read_to_end(self.connection, [self.topics.requests], committed=committed))

    def redrive_and_kill(self, transactions):
        """Run a redrive that is killed after some transactions, in the next; return its code."""
        command = [sys.executable, PROGRAM, self.bootstrap, self.prefix, str(transactions)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, env=environment, timeout=60, check=False).returncode


@pytest.fixture
def stream(bootstrap, prefix):
    return Stream(bootstrap, prefix)


@pytest.mark.real
def test_letters_are_sent_back_unchanged_and_only_once(stream):
    stream.add_letters(LETTERS)

    first, second = stream.redrive(), stream.redrive()

    assert (first.sent, first.states_before["due"]) == (LETTERS, LETTERS)
    assert (second.sent, second.states_before["due"], second.states_before["redriven"]) == (
        0,
        0,
        LETTERS,
    )
    back = stream.requests()
    numbers = [int(record.header("n")) for record in back]
    assert sorted(numbers) == list(range(LETTERS))
    for record in back:
        n = int(record.header("n"))
        assert (record.key, record.value) == (b"key-%d" % (n % 7), b"\x00 %d" % n)
        assert record.timestamp == FIRST_TIMESTAMP - n
        assert record.header(Header.ATTEMPTS) == b"2"
    for key in {record.key for record in back}:
        own = [int(record.header("n")) for record in back if record.key == key]
        assert own == sorted(own), "order within each key"


@pytest.mark.real
def test_redrive_that_was_killed_and_is_run_again_sends_each_letter_once(stream):
    stream.add_letters(LETTERS)

    codes = [stream.redrive_and_kill(transactions) for transactions in (0, 3, 2)]
    committed = len(stream.requests())
    result = stream.redrive()

    assert codes == [-signal.SIGKILL] * 3
    assert (committed, result.states_before["redriven"]) == (
        5 * RECORDS_PER_TRANSACTION,
        5 * RECORDS_PER_TRANSACTION,
    )
    assert result.sent == LETTERS - 5 * RECORDS_PER_TRANSACTION
    assert Counter(r.header(Header.REDRIVE_OF) for r in stream.requests()).most_common(1)[0][1] == 1
    assert len(stream.requests()) == LETTERS
    aborted = len(stream.requests(committed=False)) - LETTERS
    assert aborted == 3 * RECORDS_PER_TRANSACTION // 2, (
        "each kill left half a transaction at the broker"
    )


@pytest.mark.real
def test_a_request_that_only_names_a_letter_does_not_hide_it_from_the_redrive(stream):
    stream.add_letters(2)
    (first, second) = read_to_end(stream.connection, [stream.topics.dlq])
    with Publisher(stream.connection) as publisher:
        for letter in (first, second):
            header = ((str(Header.REDRIVE_OF), letter.position.encode()),)
            publisher.send(ProducerRecord(stream.topics.requests, b"k", b"forged", header))
        publisher.flush()

    assert stream.redrive().sent == 2
    assert stream.redrive().sent == 0


@pytest.mark.real
def test_second_redrive_fences_the_first_one(stream):
    name = stream.topics.group("redrive")
    stream.add_letters(10)

    with TransactionalPublisher(stream.connection, name) as first:
        second = stream.redrive()
        with pytest.raises(ProducerLost):
            first.publish([ProducerRecord(stream.topics.requests, b"k", b"late")])

    assert second.sent == 10
    assert len(stream.requests()) == 10


@pytest.mark.real
def test_only_the_selected_cause_or_letter_is_sent(stream):
    stream.add_letters(5)
    stream.add_letters(3, RecordTooLarge(2, 1), first=5)

    large = stream.redrive(LetterFilter(cause="too_large"))
    position = next(iter(stream.redriver.records(LetterFilter(cause="not_json")))).position
    one = stream.redrive(LetterFilter(position=position))

    assert (large.sent, one.sent) == (3, 1)
    assert sorted(int(r.header("n")) >= 5 for r in stream.requests()) == [False, True, True, True]


class CutLetters:
    """Requests too large for the dead-letter topic, and their letters."""

    def __init__(self, stream, limit=10_000):
        self.stream = stream
        with Publisher(stream.connection) as publisher:
            for n in range(3):
                value = b"%d" % n * 20_000
                publisher.send(ProducerRecord(stream.topics.requests, b"k", value, (("n", b"1"),)))
            publisher.flush()
        self.originals = stream.requests()
        with Publisher(stream.connection) as publisher:
            for one in self.originals:
                letter = build_dead_letter(one, stream.topics.dlq, NotJson("no"), "X", limit)
                publisher.send(letter)
            publisher.flush()

    def delete_originals_before(self, offset):
        (partition,) = {one.topic_partition for one in self.originals}
        client = AdminClient({"bootstrap.servers": self.stream.bootstrap})
        for future in client.delete_records([KafkaPartition(*partition, offset)]).values():
            future.result(30)


@pytest.mark.real
def test_a_cut_letter_is_sent_back_whole_from_its_original(stream):
    cut = CutLetters(stream)

    result = stream.redrive()

    assert (result.sent, result.refused) == (3, ())
    sent = stream.requests()[3:]
    assert [one.value for one in sent] == [one.value for one in cut.originals]
    assert all(one.headers[0] == ("n", b"1") for one in sent)
    assert stream.redrive().sent == 0


@pytest.mark.real
def test_a_cut_letter_whose_original_is_gone_is_refused_with_its_reason(stream):
    cut = CutLetters(stream)
    cut.delete_originals_before(cut.originals[1].offset + 1)

    states = stream.redriver.scan().count_states(LetterFilter())
    result = stream.redrive()

    assert (states["due"], states["unsendable"]) == (1, 2)
    assert result.sent == 1
    assert len(result.refused) == 2
    place = cut.originals[0].position
    assert (
        f"its value was cut, and the original at {place} is no longer retained"
        in (result.refused[0])
    )


@pytest.mark.real
def test_a_cut_letter_whose_original_is_another_record_is_refused(stream):
    cut = CutLetters(stream)
    other = cut.originals[0]._replace(value=b"z" * 20_000)
    with Publisher(stream.connection) as publisher:
        publisher.send(build_dead_letter(other, stream.topics.dlq, NotJson("no"), "X", 10_000))
        publisher.flush()

    result = stream.redrive()

    assert result.sent == 3
    assert [reason.partition(": ")[2] for reason in result.refused] == [
        f"the original at {other.position} cannot be read"
    ]


@pytest.mark.real
def test_a_letter_of_skipped_offsets_has_nothing_to_send(stream):
    partition = TopicPartition(stream.topics.requests, 0)
    skipped = SkippedOffsets(partition, 3, 9, "damaged", 3).to_record()
    letter = build_dead_letter(skipped, stream.topics.dlq, OffsetsUnreadable("3-8"), "X")
    with Publisher(stream.connection) as publisher:
        publisher.send(letter)
        publisher.flush()

    result = stream.redrive()

    assert (result.sent, result.states_before["unsendable"]) == (0, 1)
    assert "could not be read, so there is nothing to send" in result.refused[0]


@pytest.mark.real
def test_letters_from_topics_of_others_are_not_sent_back(stream):
    foreign = f"{stream.prefix}payments"
    stream.add_letters(2, topic=foreign)

    result = stream.redrive()

    assert (result.sent, result.states_before["foreign"]) == (0, 2)
    assert foreign not in {topic.name for topic in Admin(stream.connection).topics(stream.prefix)}


def test_batches_are_limited_in_records_and_bytes():
    small = [Record("d", 0, n, None, b"x") for n in range(25)]
    large = [Record("d", 0, n, None, bytes(MAX_TRANSACTION_BYTES // 2)) for n in range(5)]

    assert [len(batch) for batch in split_batches(small, 10)] == [10, 10, 5]
    assert [len(batch) for batch in split_batches(large, 10)] == [2, 2, 1]


@pytest.mark.parametrize(
    ("failures", "attempts"),
    [(MAX_PUBLISH_ATTEMPTS - 1, MAX_PUBLISH_ATTEMPTS), (99, MAX_PUBLISH_ATTEMPTS)],
)
def test_aborted_transaction_is_retried_a_limited_number_of_times(failures, attempts):
    class Aborting:
        def __init__(self):
            self.calls = 0

        def publish(self, records):
            self.calls += 1
            if self.calls <= failures:
                raise TransactionAborted("a drill")

    publisher = Aborting()

    if failures < MAX_PUBLISH_ATTEMPTS:
        publish_with_retries(publisher, [])
    else:
        with pytest.raises(TransactionAborted):
            publish_with_retries(publisher, [])

    assert publisher.calls == attempts
