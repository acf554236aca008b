"""Where a partition goes on that the client could not place is made sure of first."""

from types import SimpleNamespace

import pytest
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException

from modstream.broker.client import offset_resolver
from modstream.broker.client.offset_resolver import Astray
from modstream.broker.wire.records import TopicPartition

HOME = TopicPartition("requests", 1)
NONE = -1001
UNSTABLE = KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT)


class Client:
    """A consumer whose coordinator gives these answers one after the other, the last for ever."""

    def __init__(self, *answers, low=0, end=1000):
        self.answers = list(answers)
        self.watermarks = low, end
        self.placed = []
        self.sought = []

    def committed(self, partitions, _timeout):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, KafkaException):
            raise answer
        error, offset = (answer, NONE) if isinstance(answer, KafkaError) else (None, answer)
        return [
            SimpleNamespace(topic=p.topic, partition=p.partition, offset=offset, error=error)
            for p in partitions
        ]

    def get_watermark_offsets(self, _partition, _timeout):
        return self.watermarks

    def seek(self, partition):
        self.sought.append(partition.offset)

    def incremental_unassign(self, _partitions):
        pass

    def incremental_assign(self, partitions):
        self.placed += [partition.offset for partition in partitions]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(offset_resolver, "PAUSE", 0.0)
    monkeypatch.setattr(offset_resolver, "LOOK_EVERY", 0.0)


def placed(client, times=1, turns=5):
    """Where a partition was begun that was reported so many times."""
    lost = Astray(client)
    for _ in range(times):
        lost.add(HOME)
        for _ in range(turns):
            lost.place()
    return client.placed


def test_it_goes_on_at_what_is_committed():
    assert placed(Client(320)) == [320]


def test_a_group_that_never_committed_begins_at_the_first_record_when_that_was_said_twice():
    assert placed(Client(NONE)) == [OFFSET_BEGINNING]


@pytest.mark.parametrize(
    "answers",
    [(NONE, 320), (UNSTABLE, 320), (KafkaException(KafkaError(KafkaError._TIMED_OUT)), 320)],
    ids=["none and then one", "not stable yet", "no answer"],
)
def test_what_is_not_sure_is_asked_again(answers):
    assert placed(Client(*answers)) == [320]


def test_none_that_is_followed_by_not_stable_counts_for_nothing_but_itself():
    assert placed(Client(UNSTABLE, NONE, UNSTABLE, 320)) == [320]


def test_who_is_reported_twice_is_sent_to_the_same_place_again():
    assert placed(Client(320), times=2) == [320, 320]


@pytest.mark.parametrize(("low", "end"), [(400, 1000), (0, 100)], ids=["deleted", "beyond the end"])
def test_who_was_sent_where_no_record_is_begins_at_the_first_one(low, end):
    assert placed(Client(320, low=low, end=end), times=2) == [320, OFFSET_BEGINNING]


def test_who_left_meanwhile_is_placed_no_more():
    client = Client(320)
    lost = Astray(client)
    lost.add(HOME)
    lost.discard(HOME)
    lost.place()

    assert client.placed == []


def test_a_failure_that_says_something_is_told():
    lost = Astray(Client(KafkaException(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))))
    lost.add(HOME)

    with pytest.raises(KafkaException):
        lost.place()


def looked(client, *silences):
    """Where partitions were begun that were silent, or not, at one look after the other."""
    lost = Astray(client)
    for silent in silences:
        lost.place({HOME} if silent else set())
    return client.placed


def test_who_is_silent_at_two_looks_and_waits_is_begun_though_nobody_reported_it():
    assert looked(Client(320), True, True) == [320]


def test_who_is_silent_and_was_never_committed_begins_at_the_first_record():
    assert looked(Client(NONE), True, True, True) == [OFFSET_BEGINNING]


def test_who_stays_silent_is_given_twice_as_long_each_time():
    begun = [len(looked(Client(320), *[True] * looks)) for looks in range(15)]

    assert begun == [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3]


@pytest.mark.parametrize(
    ("client", "silences"),
    [
        (Client(1000), (True, True, True)),
        (Client(NONE, low=7, end=7), (True, True, True)),
        (Client(320), (True, False, True)),
        (Client(UNSTABLE), (True, True, True)),
    ],
    ids=["has read all", "has nothing to read", "was heard meanwhile", "not stable yet"],
)
def test_whose_silence_means_nothing_is_left_alone(client, silences):
    assert looked(client, *silences) == []


@pytest.mark.parametrize("committed", [NONE, 0, 319, 320])
def test_who_begins_at_or_behind_what_is_committed_is_no_stray(committed):
    client = Client(committed)

    assert not Astray(client).strays({HOME: 320})
    assert client.sought == []


@pytest.mark.parametrize(
    ("answer", "place"),
    [(321, 321), (UNSTABLE, 0), (KafkaException(KafkaError(KafkaError._TIMED_OUT)), 0)],
    ids=["committed further on", "not stable yet", "no answer"],
)
def test_who_begins_before_what_is_committed_or_may_do_so_begins_again(answer, place):
    client = Client(answer)

    assert Astray(client).strays({HOME: 0}) == {HOME}
    assert client.sought == [place]
