"""The messages that cross the wire, as frozen pydantic models. JSON, one schema version each.

Event times are integer milliseconds since the epoch, UTC, like Kafka's own timestamps.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from modstream.broker.wire.features import NamedRow, Row, Scalar

RequestId = Annotated[str, Field(min_length=1, max_length=256)]
ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]


class Contract(BaseModel):
    """What all messages share. Unknown fields are ignored, so that a newer writer can add one."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")

    schema_version: Literal[1] = 1


class Tensor(BaseModel):
    """One tensor of the Open Inference Protocol V2; `data` is row-major, flat or nested.

    Source: https://github.com/kserve/open-inference-protocol (specification/protocol).
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")

    name: str
    shape: tuple[Annotated[int, Field(ge=0)], ...]
    datatype: Literal[
        "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64",
        "FP16", "FP32", "FP64", "BYTES",
    ]  # fmt: skip
    data: list[Any]


class Request(Contract):
    """A prediction request: one row by name, several rows by name, or V2 tensors.

    Without `model` every model of the stream's route answers; with it only that one does.
    `version` is a number or an alias of that model.
    """

    id: RequestId
    features: Row | tuple[Row, ...] | None = None
    inputs: tuple[Tensor, ...] | None = None
    model: ModelName | None = None
    version: Annotated[int, Field(ge=1)] | str = "champion"
    event_time: int | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.features is None) == (self.inputs is None):
            raise ValueError("give either features (rows by name) or inputs (V2 tensors)")
        if self.features == () or self.inputs == ():
            raise ValueError("a request holds at least one row")
        return self


class Source(BaseModel):
    """Where the record that is answered lies."""

    model_config = ConfigDict(frozen=True)

    topic: str
    partition: int
    offset: int


class Prediction(Contract):
    """One model's answer to one request.

    `outputs` are values by name for a row, a list of them for several rows, tensors for tensors.
    `features` are those of a single row as they were when it was predicted, kept with the
    answer of the route's first model, so that the learner never recomputes them. Those of a
    tensor are written as its numbers and their names (`modstream.broker.wire.features.Columns`).
    """

    id: RequestId
    model: ModelName
    version: int
    outputs: dict[str, Any] | tuple[Tensor, ...] | tuple[dict[str, Any], ...]
    features: NamedRow | None = None
    event_time: int | None = None
    source: Source


class ErrorAnswer(Contract):
    """A typed refusal: the request was understood well enough to be answered, not to be scored."""

    id: RequestId
    code: str
    message: str
    model: str | None = None
    source: Source


class Label(Contract):
    """What was true. Sent with the key of its request. A higher `revision` corrects a lower."""

    id: RequestId
    label: Scalar
    revision: Annotated[int, Field(ge=0)] = 0
    event_time: int


class Scored(BaseModel):
    """A prediction as the joiner hands it on: who said what."""

    model_config = ConfigDict(frozen=True)

    model: ModelName
    version: int
    outputs: dict[str, Any]


class Feedback(Contract):
    """A label joined with what was predicted; the features travel in one feedback record per id.

    `event_time` is the request's, `label_time` the label's. With `revises`, the label that was
    joined before and is now known to be wrong, the record corrects figures and teaches nothing:
    it repeats the predictions that were joined, without features.
    """

    id: RequestId
    label: Scalar
    features: Row | None = None
    predictions: tuple[Scored, ...]
    event_time: int
    label_time: int
    revises: Scalar | None = None


class UnjoinedReason(StrEnum):
    """Why a label or a prediction was left without a partner."""

    MISSING = "missing"
    """A prediction whose label had not come by the horizon."""
    LATE = "late"
    """A label that came after its prediction was given up as missing."""
    ORPHAN = "orphan"
    """A label whose prediction had not come by the horizon."""
    DUPLICATE = "duplicate"
    """A label that had come before, with the same value."""
    REVISED = "revised"
    """A label that had come before, with another value; if it was joined, feedback says so, too."""


class Unjoined(Contract):
    """A label or a prediction that found no partner, and why."""

    id: RequestId
    reason: UnjoinedReason
    label: Scalar | None = None
    event_time: int | None = None
    label_time: int | None = None


class Quarantined(Contract):
    """A feedback row that the learner's guard refused, with the rule that refused it."""

    id: RequestId
    model: ModelName
    rule: str
    detail: str
    source: Source


class Fence(Contract):
    """Here a version begins to answer a partition's requests for a model under one reference.

    `ref` is what the requests ask for, an alias or a number. The version answers from `source` on,
    up to the next fence of the same model and `ref` in that partition. A worker that takes a
    partition over writes one, too, whoever answered before.
    """

    model: ModelName
    ref: Annotated[int, Field(ge=1)] | str
    version: int
    sha256: str
    parent: int | None = None
    source: Source


class Metrics(Contract):
    """Figures of one component up to a point in event time.

    `kind` names the figures: `prequential` (per model and version), `joiner`, `learner`,
    `coverage` (how many of a version's predictions have their label), `label_delay` (labels by
    the upper bound of their delay in ms), `inputs` (features whose mean has moved since the last
    figures, by how many of their standard deviations), and `lag`: records by role that still wait
    for it, `event_time` being the time of the look.
    `offsets` (`topic:partition` to next offset) say what they cover: a record with the same
    kind, model, version and offsets repeats another and replaces it.
    """

    kind: Literal["prequential", "joiner", "learner", "coverage", "label_delay", "inputs", "lag"]
    model: ModelName | None = None
    version: int | None = None
    event_time: int | None = None
    values: dict[str, float]
    offsets: dict[str, int] = {}


class Weighed(BaseModel):
    """What a gate decided by: `count` comparisons of champion and member.

    `window` labels had passed since `former` began to serve; the losses are means; `bound` is what
    `member` gains at least, but for a chance of `alpha`. If it was an alarm that decided, the
    champion's mean error rose from `error_before` to `error_after`, or labels contradicted it,
    `doubt` times likelier turned round; if it was the end of one, `calm` labels had agreed.
    """

    model_config = ConfigDict(frozen=True)

    member: str
    former: str
    window: int
    count: int
    former_loss: float
    member_loss: float
    bound: float
    alpha: float
    error_before: float | None = None
    error_after: float | None = None
    doubt: float | None = None
    calm: int | None = None


class ModelEvent(Contract):
    """Something happened to a model: a version was published, an alias moved.

    `learned` and `offsets` say how many rows a learner's version has seen and which feedback
    offsets come next; `learned_from` where this version's own share of them began. `weighed` is
    there if a gate decided it.
    """

    model: ModelName
    version: int
    action: Literal["publish", "promote", "rollback"]
    alias: str | None = None
    sha256: str | None = None
    parent: int | None = None
    at: int
    event_time: int | None = None
    learned: int = 0
    learned_from: dict[str, int] = {}
    offsets: dict[str, int] = {}
    evidence: str = ""
    weighed: Weighed | None = None
