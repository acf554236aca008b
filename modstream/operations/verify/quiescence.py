"""Waits until a stream is quiescent: no open transaction, and all request offsets committed."""

from collections.abc import Callable
from threading import Event
from time import monotonic

from modstream.broker.client.admin import Admin
from modstream.broker.wire.records import TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.operations.verify.audit import Quiescence
from modstream.operations.verify.observer import exit_topics

POLL_INTERVAL_S = 0.1

EndOffsets = dict[TopicPartition, int]


def wait_until_quiescent(
    admin: Admin, topics: Topics, stop: Event, timeout_seconds: float
) -> Quiescence:
    """Wait until all records now in the topics are decided and their offsets committed.

    The end offsets are looked up once, so later requests of other clients are not waited for.

    Args:
        admin: the cluster's admin client.
        topics: the stream's topics.
        stop: ends the wait early when it is set.
        timeout_seconds: maximum wait; what is not quiescent by then is returned.

    Raises:
        BrokerError: the cluster is unavailable.
    """
    output_ends, request_ends = (
        admin.end_offsets(exit_topics(topics)),
        admin.end_offsets([topics.requests]),
    )

    def lagging(ends: EndOffsets, reached: EndOffsets, of: str) -> tuple[str, ...]:
        return tuple(
            f"{partition}: {reached.get(partition, 0):,} {of} of {end:,}"
            for partition, end in ends.items()
            if reached.get(partition, 0) < end
        )

    def check() -> Quiescence:
        stable = admin.end_offsets(exit_topics(topics), committed=True)
        committed_offsets = admin.committed_offsets(topics.group("worker"), [topics.requests])
        return Quiescence(
            lagging(output_ends, stable, "stable"),
            lagging(request_ends, committed_offsets, "committed"),
        )

    return poll_until_quiescent(check, stop, monotonic() + timeout_seconds)


def poll_until_quiescent(
    check: Callable[[], Quiescence], stop: Event, deadline: float
) -> Quiescence:
    """Poll until the stream is quiescent, the deadline has passed or `stop` is set."""
    quiescence = check()
    while quiescence != Quiescence() and monotonic() < deadline and not stop.wait(POLL_INTERVAL_S):
        quiescence = check()
    return quiescence
