"""Runs as lineage describes them: a job, what it read, and the versions that it made or moved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from modstream.broker.wire.records import TopicPartition
from modstream.broker.wire.topics import Topics
from modstream.models.schema.card import ModelCard

RunState = Literal["START", "COMPLETE", "FAIL", "ABORT"]
OffsetRange = tuple[int, int]
"""The first offset, and the offset to stop before."""


class JobKind(StrEnum):
    """What a run does."""

    TRAIN = "train"
    """Trains a challenger on recent feedback."""
    LEARN = "learn"
    """Publishes what a learner has learned since its last version."""
    PUBLISH = "publish"
    """Publishes a version that was made elsewhere."""
    PROMOTE = "promote"
    """Moves an alias to a version."""
    ROLLBACK = "rollback"
    """Moves an alias back to an earlier version."""


@dataclass(frozen=True, slots=True)
class LineageRun:
    """A state of a run.

    `offsets` are the offset ranges that were read, by partition. `inputs` are the versions that the
    run starts from, `outputs` those that it publishes or moves an alias to; `alias` is that alias.
    `error` is the reason of a failure.
    """

    kind: JobKind
    stream: str
    model: str
    state: RunState = "COMPLETE"
    id: UUID = field(default_factory=uuid4)
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    offsets: Mapping[TopicPartition, OffsetRange] = field(default_factory=dict)
    inputs: tuple[ModelCard, ...] = ()
    outputs: tuple[ModelCard, ...] = ()
    alias: str | None = None
    reason: str = ""
    user: str = ""
    error: str = ""

    @property
    def job(self) -> str:
        """The name of the job: all runs of a kind, for a model of a stream, are runs of one job."""
        return f"{self.stream}.{self.model}.{self.kind}"


def run_id(card: ModelCard, kind: JobKind) -> UUID:
    """Return the id of the run that has published a version; the same for each of its events."""
    return uuid5(NAMESPACE_URL, f"modstream:{card.name}/{card.version}/{card.sha256}/{kind}")


def change_run(
    topics: Topics,
    card: ModelCard,
    kind: JobKind,
    alias: str | None,
    *,
    reason: str = "",
    user: str = "",
) -> LineageRun:
    """Return the run of a publication, a promotion or a rollback that has been carried out."""
    return LineageRun(
        kind,
        topics.stream,
        card.name,
        id=run_id(card, kind) if kind == JobKind.PUBLISH else uuid4(),
        outputs=(card,),
        alias=alias,
        reason=reason,
        user=user,
    )


def learning_run(
    topics: Topics, card: ModelCard, parent: ModelCard, alias: str | None, reason: str
) -> LineageRun:
    """Return the run of a version that a learner has published after another one."""
    run = mean_run(topics, card, (parent,), alias, reason)
    return replace(run, offsets=ranges(parent.offsets, card.offsets))


def mean_run(
    topics: Topics, card: ModelCard, parts: Sequence[ModelCard], alias: str | None, reason: str
) -> LineageRun:
    """Return the run of a version that a learner has made of the newest versions of its parts."""
    return LineageRun(
        JobKind.LEARN,
        topics.stream,
        card.name,
        id=run_id(card, JobKind.LEARN),
        inputs=tuple(parts),
        outputs=(card,),
        alias=alias,
        reason=reason,
    )


def ranges(
    first_offsets: Mapping[str, int], offsets: Mapping[str, int]
) -> dict[TopicPartition, OffsetRange]:
    """Return the offset ranges that a version has learned, by partition.

    Args:
        first_offsets: where the rows of the version begin, by `topic:partition`; 0 if absent.
        offsets: the next offsets, by `topic:partition`.
    """
    return {
        TopicPartition.parse(name): (min(first_offsets.get(name, 0), stop), stop)
        for name, stop in offsets.items()
    }
