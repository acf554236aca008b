"""The artifact of a mean: a line of JSON with the cards of its parts, then their artifacts.

A mean is complete in itself: it answers the same when its parts have newer versions, or have been
deleted. Only what loading a part needs is kept of its card.
"""

import json
from collections.abc import Sequence
from itertools import accumulate
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from modstream.models.errors import NotConvertible, UnreadableArtifact
from modstream.models.runtimes.mean.combination import MEAN_TASKS
from modstream.models.runtimes.mean.union import union_of
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard, PartRecord
from modstream.models.schema.class_labels import ClassLabels
from modstream.models.schema.version_spec import VersionSpec

MEAN = "mean"
"""The runtime of a version that is a mean."""
MAX_PARTS = 16
MAX_HEADER_BYTES = 8 * 1024 * 1024
NO_PARTS = frozenset({MEAN, "pipeline"})
"""The runtimes whose versions are no parts."""
DROPPED = frozenset({"sample_rows", "metrics", "offsets", "signature", "trial", "parent", "note"})
"""The fields of a part's card that loading does not need."""


class MeanPart(NamedTuple):
    """A version that a mean averages, with its artifact.

    `candidate` is the alias of the candidate that it is a version of, if it is one's.
    """

    card: ModelCard
    content: bytes
    weight: float = 1.0
    candidate: str = ""

    @property
    def record(self) -> PartRecord:
        """What the card of a mean keeps of the part."""
        card = self.card
        return PartRecord(
            name=card.name,
            version=card.version,
            sha256=card.sha256,
            weight=self.weight,
            candidate=self.candidate,
        )


class PackedPart(BaseModel):
    """A part in the header of an artifact."""

    model_config = ConfigDict(frozen=True)

    card: ModelCard
    weight: FiniteFloat = Field(gt=0)
    candidate: str = ""


class Header(BaseModel):
    """The first line of an artifact."""

    model_config = ConfigDict(frozen=True)

    format: Literal["modstream-mean-1"] = "modstream-mean-1"
    parts: Annotated[tuple[PackedPart, ...], Field(min_length=1, max_length=MAX_PARTS)]


def pack(parts: Sequence[MeanPart]) -> bytes:
    """Return the artifact of a mean; the same parts give the same bytes.

    Raises:
        NotConvertible: the parts have no mean; see `check_parts`.
        HashMismatch: the content of a part is not the artifact of its card.
    """
    check_parts([part.card for part in parts])
    for part in parts:
        Artifact(part.content).verify(part.card)
    header = Header(
        parts=tuple(
            PackedPart(card=_reduced(one.card), weight=one.weight, candidate=one.candidate)
            for one in parts
        )
    )
    line = json.dumps(header.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return b"".join([line.encode(), b"\n", *(one.content for one in parts)])


def unpack(content: bytes) -> tuple[MeanPart, ...]:
    """Return the parts of an artifact written by `pack`; hashes are not verified.

    Raises:
        UnreadableArtifact: it is damaged, or its parts have no mean.
    """
    line, newline, _ = content[:MAX_HEADER_BYTES].partition(b"\n")
    if not newline:
        raise UnreadableArtifact(MEAN, "it has no header")
    try:
        header = Header.model_validate_json(line)
        check_parts([one.card for one in header.parts])
    except (ValidationError, NotConvertible) as error:
        raise UnreadableArtifact(MEAN, f"its header is invalid: {error}") from None
    ends = [*accumulate((one.card.size for one in header.parts), initial=len(line) + 1)]
    if ends[-1] != len(content):
        reason = f"it has {len(content):,} bytes, its parts end at {ends[-1]:,}"
        raise UnreadableArtifact(MEAN, reason)
    return tuple(
        MeanPart(one.card, content[start:end], one.weight, one.candidate)
        for one, start, end in zip(header.parts, ends, ends[1:], strict=False)
    )


def check_parts(cards: Sequence[ModelCard]) -> None:
    """Raise if versions have no mean.

    Raises:
        NotConvertible: they are too many, or a mean or a pipeline themselves, their outputs are no
            arrays, or their tasks, classes or features contradict each other.
    """
    if not 1 <= len(cards) <= MAX_PARTS:
        raise NotConvertible("a mean", f"it has {len(cards)} parts, allowed are 1 to {MAX_PARTS}")
    first = cards[0]
    classes = ClassLabels.of(first.task, first.classes)
    for card in cards:
        label = f"version {card.version} of {card.name}"
        if card.runtime in NO_PARTS:
            raise NotConvertible("a mean", f"{label} is a {card.runtime}")
        if card.task not in MEAN_TASKS or card.output_form != "array":
            raise NotConvertible("a mean", f"{label} predicts no probabilities or values")
        if card.task != first.task:
            raise NotConvertible("a mean", f"{label} has the task {card.task}, not {first.task}")
        if not ClassLabels.of(card.task, card.classes).agrees_with(classes):
            raise NotConvertible("a mean", f"{label} has other classes, or in another order")
    union_of([card.input_schema for card in cards])


def mean_spec(name: str, parts: Sequence[MeanPart], note: str = "") -> VersionSpec:
    """Return the description of a mean, which has the features of all parts.

    Raises:
        NotConvertible: the parts have no mean; see `check_parts`.
    """
    check_parts([part.card for part in parts])
    first = parts[0].card
    libraries: dict[str, str] = {}
    for part in parts:
        libraries |= part.card.libraries
    weighted = " + ".join(
        f"{part.weight:g} of {part.candidate or part.card.name} {part.card.version}"
        for part in parts
    )
    schema = union_of([part.card.input_schema for part in parts])
    whole = (part.card for part in parts if set(part.card.input_schema.names) == set(schema.names))
    return VersionSpec(
        name=name,
        runtime=MEAN,
        task=first.task,
        classes=first.classes,
        input_schema=schema,
        sample_rows=next((card.sample_rows for card in whole if card.sample_rows), ()),
        libraries=libraries,
        parts=tuple(part.record for part in parts),
        note=note or f"mean: {weighted}",
    )


def _reduced(card: ModelCard) -> ModelCard:
    """Return a card without what loading does not need; equal for equal artifacts."""
    kept = card.model_dump(exclude=set(DROPPED))
    return ModelCard.model_validate(kept)
