"""The lag of a stream's services, and whether they run."""

from collections.abc import Mapping
from dataclasses import dataclass
from time import time

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import read_offset_ranges
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import OffsetRanges, TopicPartition
from modstream.broker.wire.topics import Topics

LEARNER = "learner"
LEARNER_SILENCE_MS = 60_000
"""After this time without metrics of a learner, it does not run. It sends them every second, or
less often if that takes it much time."""
MARKER_LAG = 100
"""Up to this lag, the records are counted: markers of transactions occupy offsets, too, and no
service commits the offset of a marker after the last record."""


@dataclass(frozen=True, slots=True)
class ServiceLag:
    """The records that wait for a service, by partition of its inputs, and whether it runs."""

    service: str
    is_running: bool
    records: Mapping[TopicPartition, int]


def input_topics(topics: Topics) -> dict[str, tuple[str, ...]]:
    """Return the topics that each service reads, by service."""
    return {
        "worker": (topics.requests,),
        "joiner": (topics.predictions, topics.labels),
        LEARNER: (topics.feedback,),
    }


def lag_topics(topics: Topics) -> dict[str, str]:
    """Return the input topic by which the lag of each service is measured, by service.

    The joiner's lag is measured by its labels: the predictions are written in transactions, whose
    markers occupy offsets that a consumer group never commits.
    """
    return {"worker": topics.requests, "joiner": topics.labels, LEARNER: topics.feedback}


def read_lag(admin: Admin, topics: Topics) -> dict[str, int]:
    """Return the number of records that each service has not processed yet, by service."""
    return {
        service: sum(admin.lag(topics.group(service), [topic]).values())
        for service, topic in lag_topics(topics).items()
    }


def read_known_lag(admin: Admin, topics: Topics) -> dict[str, int]:
    """Return the same for the services that have read the stream; the others are left out."""
    known = [
        service
        for service, topic in lag_topics(topics).items()
        if admin.committed_offsets(topics.group(service), [topic])
    ]
    return {service: lag for service, lag in read_lag(admin, topics).items() if service in known}


def service_lags(connection: Connection, topics: Topics) -> list[ServiceLag]:
    """Return the lag of the services that run or have run on a stream.

    Raises:
        TopicMissing: a topic of the stream does not exist.
        BrokerUnavailable: no broker answers.
    """
    admin, found = Admin(connection), []
    for service, names in input_topics(topics).items():
        group = topics.group(service)
        committed = admin.committed_offsets(group, names)
        if service == LEARNER:
            is_running = has_learner(connection, admin, topics)
        else:
            is_running = admin.count_members(group) > 0
        if committed or is_running:
            records = without_markers(connection, committed, admin.lag(group, names))
            found.append(ServiceLag(service, is_running, records))
    return found


def has_learner(connection: Connection, admin: Admin, topics: Topics) -> bool:
    """Return whether a learner has sent metrics just now; it is no member of a group."""
    since = int(time() * 1000) - LEARNER_SILENCE_MS
    starts = admin.offsets_since([topics.metrics], since)
    ends = admin.end_offsets([topics.metrics])
    ranges = {one: (start, ends[one]) for one, start in starts.items() if start < ends[one]}
    for record in read_offset_ranges(connection, topics.metrics, ranges):
        try:
            metrics = decode(Metrics, record.value)
        except DecodeError:
            continue
        if metrics.kind == LEARNER and record.timestamp >= since:
            return True
    return False


def without_markers(
    connection: Connection,
    committed: Mapping[TopicPartition, int],
    lag: Mapping[TopicPartition, int],
) -> dict[TopicPartition, int]:
    """Return the lag with the records counted where it is small."""
    counted = dict(lag)
    ranges: OffsetRanges = {
        one: (start, start + lag[one])
        for one, start in committed.items()
        if 0 < lag.get(one, 0) <= MARKER_LAG
    }
    for topic in sorted({one.topic for one in ranges}):
        own = {one: offsets for one, offsets in ranges.items() if one.topic == topic}
        counted |= dict.fromkeys(own, 0)
        for record in read_offset_ranges(connection, topic, own):
            counted[record.topic_partition] += 1
    return counted
