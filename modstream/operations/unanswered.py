"""The reason why a request has no response: what the consumer group of the workers says about it.

Pure, except `diagnose`, which asks the broker.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.wire.topics import Topics
from modstream.producers.client.pending_requests import RecordMetadata


@dataclass(frozen=True, slots=True)
class UnansweredRequest:
    """A request without a response.

    `record` is None if the broker has not acknowledged it. `unpublished` are the models of the
    route that the registry does not have.
    """

    id: str
    record: RecordMetadata | None
    unpublished: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class GroupState:
    """The workers' consumer group, and how far it has read the partition of a request.

    `members` have partitions. `committed` is the group's next offset in the partition.
    """

    members: int
    committed: int = 0


def diagnose(connection: Connection, topics: Topics, request: UnansweredRequest) -> str:
    """Return in a sentence why a request has no response, and what to do.

    Raises:
        BrokerError: the broker does not answer.
    """
    admin, group = Admin(connection), topics.group("worker")
    committed = 0
    if request.record is not None:
        offsets = admin.committed_offsets(group, [topics.requests])
        committed = offsets.get(request.record.topic_partition, 0)
    return describe(topics, request, GroupState(admin.count_members(group), committed))


def describe(topics: Topics, request: UnansweredRequest, state: GroupState) -> str:
    """Return the sentence of `diagnose` for a state of the group."""
    if not state.members:
        return _describe_empty_group(topics, request)
    count = "1 worker is" if state.members == 1 else f"{state.members} workers are"
    present = f"{count} in the consumer group {topics.group('worker')}"
    if request.record is None:
        return f"{present}, but the broker has not acknowledged the request: try again"
    ahead = request.record.offset - state.committed
    if ahead < 0:
        return (
            f"{present} and has read the request without answering it, so it is a dead letter or"
            f" repeats an earlier id: `modstream trace {request.id} {topics.stream}` shows which"
        )
    waiting = f"behind {ahead:,} other records" if ahead else "as the next record"
    return (
        f"{present}, and the request still waits, {waiting}: wait longer with --timeout, or look at"
        f" `modstream health` and `modstream topics lag {topics.stream}`"
    )


def _describe_empty_group(topics: Topics, request: UnansweredRequest) -> str:
    text = f"no worker is in the consumer group {topics.group('worker')}"
    if request.unpublished:
        model = request.unpublished[0]
        return (
            f"{text}, because model {model} is not published: publish it with `modstream models"
            f" publish {model} FILE`; a worker that runs already then starts to answer"
        )
    return f"{text}: start one with `modstream worker {topics.stream}`"
