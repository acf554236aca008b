"""The messages about requests and labels, as frozen pydantic models. The wire format is JSON.

Event times are integer milliseconds since the epoch, UTC, like Kafka's own timestamps.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from modstream.broker.wire.features import FeatureRow, JsonScalar, NamedRow
from modstream.broker.wire.identifiers import ModelName, RequestId


class Contract(BaseModel):
    """Base class of all messages. Unknown fields are ignored: newer writers can add some."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")

    schema_version: Literal[1] = 1


class Tensor(BaseModel):
    """A tensor of the Open Inference Protocol V2; `data` is row-major, flat or nested.

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

    Without `model`, every model of the stream's route responds; with it, only that model does.
    `version` is a version number or an alias of that model.
    """

    id: RequestId
    features: FeatureRow | tuple[FeatureRow, ...] | None = None
    inputs: tuple[Tensor, ...] | None = None
    model: ModelName | None = None
    version: Annotated[int, Field(ge=1)] | str = "champion"
    event_time: int | None = None

    @model_validator(mode="after")
    def _check_exactly_one_format(self) -> Self:
        if (self.features is None) == (self.inputs is None):
            raise ValueError("give either features (rows by name) or inputs (V2 tensors)")
        if self.features == () or self.inputs == ():
            raise ValueError("a request holds at least one row")
        return self


class SourcePosition(BaseModel):
    """The position of the record that a message responds to."""

    model_config = ConfigDict(frozen=True)

    topic: str
    partition: int
    offset: int


class Prediction(Contract):
    """One model's response to one request.

    `outputs` are values by name for a single row, a list of such mappings for several rows, and
    tensors for tensors. `features` is a single row as it was when the prediction was made. Only
    the first model of the route keeps it, so that the learner never recomputes features. The row
    of a tensor is written as its numbers and their names (`modstream.broker.wire.features`).
    """

    id: RequestId
    model: ModelName
    version: int
    outputs: dict[str, Any] | tuple[Tensor, ...] | tuple[dict[str, Any], ...]
    features: NamedRow | None = None
    event_time: int | None = None
    source: SourcePosition


class ErrorResponse(Contract):
    """A typed error in response to a request whose id could be read."""

    id: RequestId
    code: str
    message: str
    model: str | None = None
    source: SourcePosition


class Label(Contract):
    """The true value, with the key of its request. A higher `revision` corrects a lower one."""

    id: RequestId
    label: JsonScalar
    revision: Annotated[int, Field(ge=0)] = 0
    event_time: int


class JoinedPrediction(BaseModel):
    """A prediction within a feedback record: the version that made it, and its outputs."""

    model_config = ConfigDict(frozen=True)

    model: ModelName
    version: int
    outputs: dict[str, Any]


class Feedback(Contract):
    """A label joined with predictions. Only one feedback record per request id has the features.

    `event_time` is the request's, `label_time` the label's. `revises` is the label that was joined
    before and has turned out to be wrong. A record with `revises` only corrects metrics and is not
    a training example: it repeats the joined predictions, without features.
    """

    id: RequestId
    label: JsonScalar
    features: FeatureRow | None = None
    predictions: tuple[JoinedPrediction, ...]
    event_time: int
    label_time: int
    revises: JsonScalar | None = None


class UnjoinedReason(StrEnum):
    """Why a label or a prediction was not joined."""

    MISSING = "missing"
    """A prediction whose label had not arrived by the horizon."""
    LATE = "late"
    """A label that arrived after its prediction was reported as missing."""
    ORPHAN = "orphan"
    """A label whose prediction had not arrived by the horizon."""
    DUPLICATE = "duplicate"
    """A label that had arrived before, with the same value."""
    REVISED = "revised"
    """A label that had arrived before, with another value. If that label was joined, a feedback
    record with `revises` is written as well."""


class Unjoined(Contract):
    """A label or a prediction that was not joined, and the reason."""

    id: RequestId
    reason: UnjoinedReason
    label: JsonScalar | None = None
    event_time: int | None = None
    label_time: int | None = None


class Quarantined(Contract):
    """A feedback row that the learner's guard rejected, and the rule that rejected it."""

    id: RequestId
    model: ModelName
    rule: str
    detail: str
    source: SourcePosition
