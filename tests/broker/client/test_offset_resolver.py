"""The start offset of a partition is assigned only once it is certain."""

from types import SimpleNamespace

import pytest
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException
from structlog.testing import capture_logs

from modstream.broker.client import offset_resolver
from modstream.broker.client.offset_resolver import OffsetResolver
from modstream.broker.wire.records import TopicPartition

PARTITION = TopicPartition("requests", 1)
NONE = -1001
UNSTABLE = KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT)
TIMED_OUT = KafkaException(KafkaError(KafkaError._TIMED_OUT))


class FakeConsumer:
    """A consumer whose coordinator gives these responses in order, and then repeats the last one.

    A response is a committed offset, an error of the partition, or an exception to raise.
    """

    def __init__(self, *responses, low=0, end=1000):
        self.responses = list(responses)
        self.watermarks = low, end
        self.assigned_offsets = []
        self.sought_offsets = []

    def committed(self, partitions, _timeout):
        response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        if isinstance(response, KafkaException):
            raise response
        is_error = isinstance(response, KafkaError)
        error, offset = (response, NONE) if is_error else (None, response)
        return [
            SimpleNamespace(topic=p.topic, partition=p.partition, offset=offset, error=error)
            for p in partitions
        ]

    def get_watermark_offsets(self, _partition, _timeout):
        return self.watermarks

    def seek(self, partition):
        self.sought_offsets.append(partition.offset)

    def incremental_unassign(self, _partitions):
        pass

    def incremental_assign(self, partitions):
        self.assigned_offsets += [partition.offset for partition in partitions]


@pytest.fixture(autouse=True)
def no_intervals(monkeypatch):
    monkeypatch.setattr(offset_resolver, "REQUEST_INTERVAL_S", 0.0)
    monkeypatch.setattr(offset_resolver, "IDLE_CHECK_INTERVAL_S", 0.0)


def assigned_after_reports(consumer, reports=1, polls=5):
    """Return the offsets at which a partition is assigned that the client reports repeatedly."""
    resolver = OffsetResolver(consumer)
    for _ in range(reports):
        resolver.add(PARTITION)
        for _ in range(polls):
            resolver.assign_resolved()
    return consumer.assigned_offsets


def test_a_partition_starts_at_its_committed_offset():
    assert assigned_after_reports(FakeConsumer(320)) == [320]


def test_without_a_committed_offset_in_two_responses_a_partition_starts_at_its_first_record():
    assert assigned_after_reports(FakeConsumer(NONE)) == [OFFSET_BEGINNING]


@pytest.mark.parametrize(
    "responses",
    [(NONE, 320), (UNSTABLE, 320), (TIMED_OUT, 320)],
    ids=["none, then an offset", "not stable yet", "no response"],
)
def test_an_uncertain_response_is_followed_by_another_request(responses):
    assert assigned_after_reports(FakeConsumer(*responses)) == [320]


def test_unstable_responses_do_not_confirm_that_no_offset_is_committed():
    assert assigned_after_reports(FakeConsumer(UNSTABLE, NONE, UNSTABLE, 320)) == [320]


def test_a_partition_that_is_reported_twice_is_assigned_at_the_same_offset_again():
    assert assigned_after_reports(FakeConsumer(320), reports=2) == [320, 320]


@pytest.mark.parametrize(("low", "end"), [(400, 1000), (0, 100)], ids=["deleted", "beyond the end"])
def test_a_partition_whose_committed_offset_has_no_record_starts_at_its_first_record(low, end):
    consumer = FakeConsumer(320, low=low, end=end)

    assert assigned_after_reports(consumer, reports=2) == [320, OFFSET_BEGINNING]


def test_a_discarded_partition_is_not_assigned():
    consumer = FakeConsumer(320)
    resolver = OffsetResolver(consumer)
    resolver.add(PARTITION)
    resolver.discard(PARTITION)
    resolver.assign_resolved()

    assert consumer.assigned_offsets == []


def test_a_permanent_error_is_raised():
    error = KafkaException(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))
    resolver = OffsetResolver(FakeConsumer(error))
    resolver.add(PARTITION)

    with pytest.raises(KafkaException):
        resolver.assign_resolved()


def assigned_after_checks(consumer, *checks):
    """Return the offsets at which a partition is assigned that is idle, or not, at each check."""
    resolver = OffsetResolver(consumer)
    for is_idle in checks:
        resolver.assign_resolved({PARTITION} if is_idle else set())
    return consumer.assigned_offsets


def test_a_partition_that_is_idle_at_two_checks_and_has_records_is_assigned_without_a_report():
    assert assigned_after_checks(FakeConsumer(320), True, True) == [320]


def test_an_idle_partition_without_a_committed_offset_starts_at_its_first_record():
    assert assigned_after_checks(FakeConsumer(NONE), True, True, True) == [OFFSET_BEGINNING]


def test_the_number_of_checks_doubles_while_a_partition_stays_idle():
    counts = [
        len(assigned_after_checks(FakeConsumer(320), *[True] * checks)) for checks in range(15)
    ]

    assert counts == [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3]


@pytest.mark.parametrize(
    ("consumer", "checks"),
    [
        (FakeConsumer(1000), (True, True, True)),
        (FakeConsumer(NONE, low=7, end=7), (True, True, True)),
        (FakeConsumer(320), (True, False, True)),
        (FakeConsumer(UNSTABLE), (True, True, True)),
    ],
    ids=["all records read", "no records", "a record in between", "not stable yet"],
)
def test_a_partition_that_is_idle_for_another_reason_is_not_assigned(consumer, checks):
    assert assigned_after_checks(consumer, *checks) == []


@pytest.mark.parametrize(
    ("consumer", "assigned"),
    [(FakeConsumer(1000), 0), (FakeConsumer(320, low=1000), 0), (FakeConsumer(320), 3)],
    ids=["all records read", "all records deleted", "records wait"],
)
def test_a_partition_that_waits_at_its_end_is_not_warned_about(consumer, assigned):
    with capture_logs() as logs:
        assert len(assigned_after_checks(consumer, *[True] * 15)) == assigned

    warnings = [line for line in logs if line["log_level"] == "warning"]
    assert len(warnings) == max(0, assigned - 1), "one for each further assignment"


@pytest.mark.parametrize("committed", [NONE, 0, 319, 320])
def test_a_partition_that_starts_at_or_after_its_committed_offset_is_not_misplaced(committed):
    consumer = FakeConsumer(committed)

    assert not OffsetResolver(consumer).misplaced({PARTITION: 320})
    assert consumer.sought_offsets == []


@pytest.mark.parametrize(
    ("response", "offset"),
    [(321, 321), (UNSTABLE, 0), (TIMED_OUT, 0)],
    ids=["committed further on", "not stable yet", "no response"],
)
def test_a_partition_that_may_start_before_its_committed_offset_starts_again(response, offset):
    consumer = FakeConsumer(response)

    assert OffsetResolver(consumer).misplaced({PARTITION: 0}) == {PARTITION}
    assert consumer.sought_offsets == [offset]
