"""The messages about models rather than requests: version markers, metrics, and model events.

Every event time is an integer in milliseconds since the epoch, UTC.
"""

from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from modstream.broker.wire.bounds import (
    Alias,
    Code,
    Count,
    Detail,
    EventTime,
    KnownVersion,
    Name,
    Offset,
    VersionNumber,
)
from modstream.broker.wire.contracts import Contract, SourcePosition
from modstream.broker.wire.identifiers import ModelName

MetricsKind = Literal[
    "prequential", "joiner", "learner", "coverage", "label_delay", "input_drift", "lag",
    "conformal", "candidates",
]  # fmt: skip


def _current_kind(kind: object) -> object:
    """Return the present name of a kind of metrics; records of older versions say "inputs"."""
    return "input_drift" if kind == "inputs" else kind


class VersionMarker(Contract):
    """The position in a partition from which a version responds to requests for one reference.

    `ref` is what the requests ask for: an alias or a version number. The version responds from
    `source` up to the next marker of the same model and `ref` in that partition. A worker that
    takes over a partition writes a marker even if the version has not changed.
    """

    model: ModelName
    ref: VersionNumber | Alias
    version: KnownVersion
    sha256: Code
    parent: KnownVersion | None = None
    source: SourcePosition


class Metrics(Contract):
    """Metrics of one component up to a point in event time.

    `kind` names the set of metrics: `prequential` (per model and version), `joiner`, `learner`,
    `coverage` (how many of a version's predictions have a label), `conformal` (how many labels were
    inside the set or interval of their answer, per model and version), `label_delay` (labels by the
    upper bound of their delay in ms), `input_drift` (features whose mean has moved since the last
    metrics, in their standard deviations), `candidates` (the labels, AUC and log loss of each
    candidate since its learner began, as `<candidate>.labels` and so on), and `lag` (records that
    wait for each service, with `event_time` the time of the measurement).

    `offsets` (`topic:partition` to next offset) are the feedback that is covered. A record with
    the same kind, model, version and offsets as another one repeats and replaces that record.
    """

    kind: Annotated[MetricsKind, BeforeValidator(_current_kind)]
    model: ModelName | None = None
    version: KnownVersion | None = None
    event_time: EventTime | None = None
    values: dict[Name, float]
    offsets: dict[Name, Offset] = Field(default_factory=dict)


class DecisionEvidence(BaseModel):
    """The evidence for a decision of the promotion gate: `count` comparisons of two candidates.

    `window` labels had arrived since `champion` began to serve. The losses are means. With
    probability 1 - `alpha`, `candidate` improves the mean loss by at least `bound`.

    If an alarm caused the decision, the champion's mean error rose from `error_before` to
    `error_after`, or the labels were `flip_ratio` times likelier flipped than correct. If the end
    of an alarm caused it, `quiet_labels` labels had agreed with the champion.

    The older field names are still read.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    candidate: Alias = Field(validation_alias=AliasChoices("candidate", "member"))
    champion: Alias = Field(validation_alias=AliasChoices("champion", "former"))
    window: Count
    count: Count
    champion_loss: float = Field(validation_alias=AliasChoices("champion_loss", "former_loss"))
    candidate_loss: float = Field(validation_alias=AliasChoices("candidate_loss", "member_loss"))
    bound: float
    alpha: float
    error_before: float | None = None
    error_after: float | None = None
    flip_ratio: float | None = Field(None, validation_alias=AliasChoices("flip_ratio", "doubt"))
    quiet_labels: Count | None = Field(None, validation_alias=AliasChoices("quiet_labels", "calm"))


class ModelEvent(Contract):
    """A change of a model: a version was published, or an alias was moved.

    `at` is the time of the change. `rows_learned` counts the rows that a learner's version has
    learned in total. `offsets` are the next feedback offsets; `first_offsets` are the parent's,
    where this version's own rows begin. `decision` is present if the promotion gate made the
    change, and `user` if a person did whose name is known. The older field names are still read.
    """

    model_config = ConfigDict(populate_by_name=True)

    model: ModelName
    version: KnownVersion
    action: Literal["publish", "promote", "rollback"]
    alias: Alias | None = None
    sha256: Code | None = None
    parent: KnownVersion | None = None
    at: EventTime
    event_time: EventTime | None = None
    rows_learned: Count = Field(0, validation_alias=AliasChoices("rows_learned", "learned"))
    first_offsets: dict[Name, Offset] = Field(
        default_factory=dict, validation_alias=AliasChoices("first_offsets", "learned_from")
    )
    offsets: dict[Name, Offset] = Field(default_factory=dict)
    reason: Detail = Field("", validation_alias=AliasChoices("reason", "evidence"))
    decision: DecisionEvidence | None = Field(
        None, validation_alias=AliasChoices("decision", "weighed")
    )
    user: Name | None = None
