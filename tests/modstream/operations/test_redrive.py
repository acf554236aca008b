"""Dead letters sent back on a real Kafka: each once, whatever happens to who sends them."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.client.transactional_publisher import TransactionalPublisher
from modstream.broker.errors import NotJson, ProducerLost, RecordTooLarge, TransactionAborted
from modstream.broker.wire.dead_letters import dead_letter
from modstream.broker.wire.records import Outgoing, Record
from modstream.broker.wire.topics import Header, Topics
from modstream.operations.redrive import ATTEMPTS, MOST_BYTES, Redrive, batches, publish
from modstream.processors.redrive.selection import Choice
from tests.modstream.operations.redrive_process import EACH

PROGRAM = Path(__file__).with_name("redrive_process.py")
ROOT = PROGRAM.parents[2]
LETTERS = 100


class Office:
    """A stream whose dead letters are written by the test."""

    def __init__(self, bootstrap, prefix):
        self.bootstrap, self.prefix = bootstrap, prefix
        self.connection = Connection(bootstrap)
        self.topics = Topics("flights", prefix)
        Admin(self.connection).create(self.topics.specs(4))
        self.desk = Redrive(self.connection, self.topics)

    def receive(self, count, cause=None, topic=None, first=0):
        """Let letters lie in the topic; their times run backwards, as times may."""
        with Publisher(self.connection) as publisher:
            for n in range(first, first + count):
                record = Record(
                    topic or self.topics.requests, 0, n, b"key-%d" % (n % 7), b"\x00 %d" % n,
                    (("n", b"%d" % n),), 1_700_000_000_000 - n,
                )  # fmt: skip
                publisher.send(
                    dead_letter(record, self.topics.dlq, cause or NotJson("no"), "VALUE_CONVERTER")
                )
            publisher.flush()

    def redrive(self, choice=None):
        name = self.topics.group("redrive")
        with TransactionalPublisher(self.connection, name) as publisher:
            return self.desk.run(choice or Choice(), publisher)

    def requests(self, *, committed=True):
        return list(read_to_end(self.connection, [self.topics.requests], committed=committed))

    def killed(self, transactions):
        """Run a redrive that dies in the transaction after so many; returns its exit code."""
        command = [sys.executable, PROGRAM, self.bootstrap, self.prefix, str(transactions)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run(command, env=environment, timeout=60, check=False).returncode


@pytest.fixture
def office(bootstrap, prefix):
    return Office(bootstrap, prefix)


@pytest.mark.real
def test_letters_are_sent_back_as_they_came_and_only_once(office):
    office.receive(LETTERS)

    first, second = office.redrive(), office.redrive()

    assert (first.sent, first.found["due"]) == (LETTERS, LETTERS)
    assert (second.sent, second.found["due"], second.found["redriven"]) == (0, 0, LETTERS)
    back = office.requests()
    numbers = [int(record.header("n")) for record in back]
    assert sorted(numbers) == list(range(LETTERS))
    for record in back:
        n = int(record.header("n"))
        assert (record.key, record.value) == (b"key-%d" % (n % 7), b"\x00 %d" % n)
        assert record.timestamp == 1_700_000_000_000 - n
        assert record.header(Header.ATTEMPTS) == b"2"
    for key in {record.key for record in back}:
        own = [int(record.header("n")) for record in back if record.key == key]
        assert own == sorted(own), "in the order of their key"


@pytest.mark.real
def test_a_redrive_that_is_killed_in_the_middle_and_run_again_sends_each_letter_once(office):
    office.receive(LETTERS)

    codes = [office.killed(transactions) for transactions in (0, 3, 2)]
    committed = len(office.requests())
    outcome = office.redrive()

    assert codes == [-signal.SIGKILL] * 3
    assert (committed, outcome.found["redriven"]) == (5 * EACH, 5 * EACH)
    assert outcome.sent == LETTERS - 5 * EACH
    assert Counter(r.header(Header.REDRIVE_OF) for r in office.requests()).most_common(1)[0][1] == 1
    assert len(office.requests()) == LETTERS
    torn = len(office.requests(committed=False)) - LETTERS
    assert torn == 3 * EACH // 2, "each kill left half a transaction with the brokers"


@pytest.mark.real
def test_a_second_redrive_ends_the_first_one(office):
    name = office.topics.group("redrive")
    office.receive(10)

    with TransactionalPublisher(office.connection, name) as first:
        second = office.redrive()
        with pytest.raises(ProducerLost):
            first.publish([Outgoing(office.topics.requests, b"k", b"late")])

    assert second.sent == 10
    assert len(office.requests()) == 10


@pytest.mark.real
def test_only_the_chosen_cause_or_letter_is_sent(office):
    office.receive(5)
    office.receive(3, RecordTooLarge(2, 1), first=5)

    large = office.redrive(Choice(cause="too_large"))
    place = next(iter(office.desk.records(Choice(cause="not_json")))).place
    one = office.redrive(Choice(letter=place))

    assert (large.sent, one.sent) == (3, 1)
    assert sorted(int(r.header("n")) >= 5 for r in office.requests()) == [False, True, True, True]


@pytest.mark.real
def test_letters_of_other_topics_are_left_where_they_are(office):
    foreign = f"{office.prefix}payments"
    office.receive(2, topic=foreign)

    outcome = office.redrive()

    assert (outcome.sent, outcome.found["foreign"]) == (0, 2)
    assert foreign not in {topic.name for topic in Admin(office.connection).topics(office.prefix)}


def test_a_transaction_ends_at_so_many_records_or_bytes():
    small = [Record("d", 0, n, None, b"x") for n in range(25)]
    large = [Record("d", 0, n, None, bytes(MOST_BYTES // 2)) for n in range(5)]

    assert [len(batch) for batch in batches(small, 10)] == [10, 10, 5]
    assert [len(batch) for batch in batches(large, 10)] == [2, 2, 1]


@pytest.mark.parametrize(("failures", "tries"), [(ATTEMPTS - 1, ATTEMPTS), (99, ATTEMPTS)])
def test_an_aborted_transaction_is_tried_again_but_not_for_ever(failures, tries):
    class Aborting:
        def __init__(self):
            self.calls = 0

        def publish(self, records):
            self.calls += 1
            if self.calls <= failures:
                raise TransactionAborted("a drill")

    publisher = Aborting()

    if failures < ATTEMPTS:
        publish(publisher, [])
    else:
        with pytest.raises(TransactionAborted):
            publish(publisher, [])

    assert publisher.calls == tries
