"""Labels that their sender's partitioner put into another partition than their prediction's."""

import json
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modstream.broker.wire.codec import encode
from modstream.broker.wire.partitioner import partition_for_key
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header
from modstream.processors.join.partition import PartitionJoin
from modstream.processors.join.routing import origin_of
from tests.processors.join.join_log import (
    HORIZON,
    NOW,
    OUT_OF_ORDERNESS,
    TOPICS,
    label,
    prediction,
)

PARTITIONS = 3
NAMES = "abcdefgh"
MOVED = (("modstream-forwarded-from", b"flights.labels:2:7"),)


@dataclass
class Stream:
    """The topics of a stream with several partitions, and the join of each."""

    limits: RecordLimits = field(default_factory=RecordLimits)
    partitions: int = PARTITIONS

    def __post_init__(self):
        self.numbers = range(PARTITIONS)
        self.logs = {(t, n): [] for t in (TOPICS.predictions, TOPICS.labels) for n in self.numbers}
        self.changelogs = [{} for _ in self.numbers]
        self.joins = [self.new_join(number) for number in self.numbers]
        self.published = []
        self.repeated = Counter()

    def new_join(self, number):
        return PartitionJoin(
            TOPICS, HORIZON, OUT_OF_ORDERNESS, record_limits=self.limits,
            number=number, partitions=self.partitions,
        )  # fmt: skip

    def append(self, topic, number, value, key, headers=()):
        log = self.logs[topic, number]
        log.append(Record(topic, number, len(log), key, value, headers, timestamp=NOW))

    def predict(self, name, key=None):
        key = name.encode() if key is None else key
        home = partition_for_key(key, PARTITIONS)
        self.append(TOPICS.predictions, home, encode(prediction(name)), key)

    def label(self, name, number, key=b"", headers=(), **fields):
        key = name.encode() if key == b"" else key
        self.append(TOPICS.labels, number, encode(label(name, **fields)), key, headers)

    def process(self, topic, number, *, crash=False):
        """Process what is new; with `crash`, the process dies before the changelog is written."""
        join = self.joins[number]
        records = self.logs[topic, number][join.state.inputs[topic].position or 0 :]
        if not records:
            return
        output = join.process(topic, records[-1].offset + 1, records)
        for record in output.records:
            if record.topic == TOPICS.labels:
                home = partition_for_key(record.key, PARTITIONS)
                self.append(record.topic, home, record.value, record.key, record.headers)
            else:
                self.published.append(record)
        if crash:
            before = [summary(record) for record in output.records if record.topic != TOPICS.labels]
            self.repeated.update(before)
            self.joins[number] = self.new_join(number)
            for row in self.changelogs[number].items():
                self.joins[number].restore(*row)
        else:
            self.changelogs[number].update(output.changelog_rows)

    def drain(self):
        """Process everything, the copies of labels included."""
        for _ in range(2):
            for topic, number in self.logs:
                self.process(topic, number)

    def outcomes(self):
        return Counter(map(summary, self.published))

    def count(self, name):
        return sum(join.state.counts[name] for join in self.joins)


def summary(record):
    message = json.loads(record.value)
    return message["id"], message.get("reason", "joined"), message.get("label")


def home_of(name):
    return partition_for_key(name.encode(), PARTITIONS)


def another(number):
    return (number + 1) % PARTITIONS


@pytest.mark.slow
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("predict"), st.sampled_from(NAMES)),
            st.tuples(st.just("label"), st.sampled_from(NAMES), st.integers(0, PARTITIONS - 1)),
            st.tuples(
                st.just("process"),
                st.sampled_from([TOPICS.predictions, TOPICS.labels]),
                st.integers(0, PARTITIONS - 1),
                st.booleans(),
            ),
        ),
        max_size=60,
    )
)
@settings(max_examples=200)
def test_each_label_is_joined_once_wherever_it_arrives_and_whatever_crashes(steps):
    stream, sent = Stream(), {"predict": set(), "label": set()}
    for kind, *values in steps:
        if kind == "process":
            topic, number, crash = values
            stream.process(topic, number, crash=crash)
        elif values[0] not in sent[kind]:
            sent[kind].add(values[0])
            getattr(stream, kind)(*values)
    stream.drain()

    joined = {(name, "joined", "yes"): 1 for name in sent["predict"] & sent["label"]}
    assert stream.outcomes() - stream.repeated == Counter(joined)
    assert stream.count("joined") == len(joined)
    waiting = sum(join.waiting_label_count for join in stream.joins)
    assert waiting == len(sent["label"] - sent["predict"])


def test_label_before_its_prediction_waits_in_the_predictions_partition():
    stream, home = Stream(), home_of("a")
    stream.label("a", another(home))
    stream.drain()
    waiting = [join.waiting_label_count for join in stream.joins]

    stream.predict("a")
    stream.drain()

    assert waiting == [int(number == home) for number in range(PARTITIONS)]
    assert stream.outcomes() == {("a", "joined", "yes"): 1}
    assert stream.count("forwarded") == 1


def test_label_without_a_key_belongs_to_the_request_that_had_none():
    stream = Stream()
    stream.predict("a")
    stream.label("a", another(home_of("a")), key=None)

    stream.drain()

    assert stream.outcomes() == {("a", "joined", "yes"): 1}


def test_label_of_a_request_with_a_key_follows_the_key():
    stream, key = Stream(), b"customer 7"
    stream.predict("a", key)
    stream.label("a", another(partition_for_key(key, PARTITIONS)), key)

    stream.drain()

    assert stream.outcomes() == {("a", "joined", "yes"): 1}
    (record,) = stream.published
    assert record.key == key


def test_label_beside_its_prediction_stays_there_whatever_its_key():
    stream, home = Stream(), home_of("a")
    elsewhere = next(key for key in (b"1", b"2", b"3", b"4") if partition_for_key(key, 3) != home)
    stream.predict("a")
    stream.process(TOPICS.predictions, home)
    stream.label("a", home, elsewhere)

    stream.drain()

    assert stream.outcomes() == {("a", "joined", "yes"): 1}
    assert stream.count("forwarded") == 0


def test_copy_has_the_labels_bytes_time_and_headers_and_says_where_it_was():
    stream, home = Stream(), home_of("a")
    stream.label("a", another(home), headers=(("traceparent", b"00-1"),))
    (original,) = stream.logs[TOPICS.labels, another(home)]

    stream.process(TOPICS.labels, another(home))

    (copy,) = stream.logs[TOPICS.labels, home]
    assert (copy.key, copy.value, copy.timestamp) == original[3:5] + original[6:]
    position = f"flights.labels:{another(home)}:0".encode()
    assert copy.headers == (("traceparent", b"00-1"), (Header.FORWARDED_FROM, position))


def test_copy_is_never_forwarded_again():
    """A mirror can write copies into any partition."""
    stream, home = Stream(), home_of("a")
    stream.label("a", another(home), headers=MOVED)

    stream.drain()

    assert stream.count("forwarded") == 0
    assert stream.joins[another(home)].waiting_label_count == 1


def test_corrections_arrive_in_their_order():
    stream, elsewhere = Stream(), another(home_of("a"))
    stream.predict("a")
    for revision, value in enumerate(["yes", "no", "maybe"]):
        stream.label("a", elsewhere, value=value, revision=revision)

    stream.drain()

    assert [summary(record)[1:] for record in stream.published] == [
        ("joined", "yes"), ("revised", "no"), ("joined", "no"), ("revised", "maybe"),
        ("joined", "maybe"),
    ]  # fmt: skip


def test_label_sent_twice_is_a_duplicate_and_a_copy_sent_twice_is_not():
    stream, elsewhere = Stream(), another(home_of("a"))
    stream.predict("a")
    stream.label("a", elsewhere)
    stream.process(TOPICS.labels, elsewhere, crash=True)
    stream.label("a", elsewhere)

    stream.drain()

    assert stream.outcomes() == {("a", "joined", "yes"): 1, ("a", "duplicate", "yes"): 1}
    assert stream.count("replayed") == 1


def test_label_of_another_partition_waits_where_it_is_if_none_are_forwarded():
    stream, elsewhere = Stream(partitions=1), another(home_of("a"))
    stream.predict("a")
    stream.label("a", elsewhere)

    stream.drain()

    assert stream.count("forwarded") == 0
    assert stream.joins[elsewhere].waiting_label_count == 1


def test_label_whose_copy_its_topic_does_not_take_stays():
    limits = RecordLimits({TOPICS.labels: 400})
    stream, elsewhere = Stream(limits), another(home_of("a"))
    stream.label("a", elsewhere, headers=(("x", bytes(200)),))

    stream.drain()

    assert stream.count("forwarded") == 0
    assert stream.joins[elsewhere].waiting_label_count == 1


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b":",
        b"::",
        b"a:b:c",
        b"a:1:-2",
        b"a:1:" + b"9" * 5000,
        b"1:2",
        "a:\u0661:\u0662".encode(),
        None,
    ],
)
def test_invalid_position_is_not_read(value):
    record = Record(TOPICS.labels, 0, 0, b"a", b"", ((Header.FORWARDED_FROM.value, value),))

    assert origin_of(record) is None


def test_position_is_read():
    record = Record(TOPICS.labels, 0, 0, b"a", b"", MOVED)

    assert origin_of(record) == (2, 7)
