"""The messages about requests and labels, as frozen pydantic models. The wire format is JSON.

Event times are integer milliseconds since the epoch, UTC, like Kafka's own timestamps. Every
number, text and list has a bound (`modstream.broker.wire.bounds`).
"""

from enum import StrEnum
from math import prod
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from modstream.broker.wire.bounds import (
    MAX_ELEMENTS,
    MAX_PREDICTIONS,
    MAX_RANK,
    MAX_ROWS,
    MAX_STEPS,
    MAX_TENSORS,
    Alias,
    Code,
    Detail,
    Dimension,
    EventTime,
    FiniteLabel,
    KnownVersion,
    LabelValue,
    Name,
    NamedOutputs,
    Offset,
    Partition,
    Revision,
    TopicName,
    VersionNumber,
)
from modstream.broker.wire.features import FeatureRow, JsonScalar, NamedRows
from modstream.broker.wire.identifiers import ModelName, RequestId, RowNumber


class Contract(BaseModel):
    """Base class of all messages. Unknown fields are ignored: newer writers can add some."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")

    schema_version: Literal[1] = 1


class Tensor(BaseModel):
    """A tensor of the Open Inference Protocol V2; `data` is row-major, flat or nested.

    Source: https://github.com/kserve/open-inference-protocol (specification/protocol).
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")

    name: Name
    shape: Annotated[tuple[Dimension, ...], Field(max_length=MAX_RANK)]
    datatype: Literal[
        "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64",
        "FP16", "BF16", "FP32", "FP64", "BYTES",
    ]  # fmt: skip
    data: list[Any]

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        if prod(self.shape) > MAX_ELEMENTS:
            raise ValueError(f"a tensor has at most {MAX_ELEMENTS:,} elements")
        return self


class ColumnNames(BaseModel):
    """The names of the columns of an output of shape [n, k], such as its classes."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    columns: Annotated[tuple[JsonScalar, ...], Field(max_length=MAX_ROWS)]


class OutputTensor(Tensor):
    """A tensor of outputs whose columns have names."""

    parameters: ColumnNames


FeatureRows = Annotated[tuple[FeatureRow, ...], Field(max_length=MAX_ROWS, fail_fast=True)]
"""Several rows by name."""
InputTensors = Annotated[tuple[Tensor, ...], Field(max_length=MAX_TENSORS, fail_fast=True)]
"""The tensors of a request."""


class Request(Contract):
    """A prediction request: one row by name, several rows by name, or V2 tensors.

    Without `model`, every model of the stream's route responds; with it, only that model does.
    `version` is a version number or an alias of that model.
    """

    id: RequestId
    features: FeatureRow | FeatureRows | None = None
    inputs: InputTensors | None = None
    model: ModelName | None = None
    version: VersionNumber | Alias = "champion"
    event_time: EventTime | None = None

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

    topic: TopicName
    partition: Partition
    offset: Offset


class StepResult(BaseModel):
    """What one step of a pipeline did for a request.

    `milliseconds` is the time that the step took for all requests of its batch. `outcome` is `ok`,
    `skipped`, `default` or `failed`, or `mixed` if the rows of the request differ; `reason` is that
    of the first row whose outcome is not `ok`. `outputs` are those of a shadow step, in the form of
    the prediction's; a row without any has none.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")

    name: Name
    model: ModelName | None = None
    version: KnownVersion | None = None
    milliseconds: float
    outcome: Code
    reason: Detail | None = None
    outputs: NamedOutputs | tuple[NamedOutputs, ...] | None = None


class Prediction(Contract):
    """One model's response to one request.

    `outputs` are values by name for a single row, a list of such mappings for several rows, and
    tensors for tensors. `features` is the row, or a list of the rows, as they were when the
    prediction was made. Only the first model of the route keeps them, so that the learner never
    recomputes features. The rows of a tensor are written as their numbers and names
    (`modstream.broker.wire.features`). `features_omitted` is the reason why a prediction whose
    features should have been kept does not have them; its rows cannot be learned. `steps` tells of
    each step of a pipeline; other models have none.
    """

    id: RequestId
    model: ModelName
    version: KnownVersion
    outputs: NamedOutputs | tuple[OutputTensor | Tensor, ...] | tuple[NamedOutputs, ...]
    features: NamedRows | None = None
    features_omitted: Detail | None = None
    event_time: EventTime | None = None
    source: SourcePosition
    steps: Annotated[tuple[StepResult, ...], Field(max_length=MAX_STEPS)] | None = None


class ErrorResponse(Contract):
    """A typed error in response to a request whose id could be read."""

    id: RequestId
    code: Code
    message: Detail
    model: Name | None = None
    source: SourcePosition


class Label(Contract):
    """The true value, with the key of its request. A higher `revision` corrects a lower one.

    `row` is the number of the row that has this label, from 0. A request of one row needs none.
    """

    id: RequestId
    row: RowNumber | None = None
    label: FiniteLabel
    revision: Revision = 0
    event_time: EventTime


class JoinedPrediction(BaseModel):
    """A prediction within a feedback record: the version that made it, and its outputs."""

    model_config = ConfigDict(frozen=True)

    model: ModelName
    version: KnownVersion
    outputs: NamedOutputs


class Feedback(Contract):
    """A label joined with predictions. Only one feedback record per row has the features.

    Id and row identify the row (`modstream.broker.wire.identifiers.row_key`); `row` is the label's.
    `event_time` is the request's, `label_time` the label's. `revises` is the label that was joined
    before and has turned out to be wrong. A record with `revises` only corrects metrics and is not
    a training example: it repeats the joined predictions, without features.
    """

    id: RequestId
    row: RowNumber | None = None
    label: LabelValue
    features: FeatureRow | None = None
    predictions: Annotated[tuple[JoinedPrediction, ...], Field(max_length=MAX_PREDICTIONS)]
    event_time: EventTime
    label_time: EventTime
    revises: LabelValue | None = None


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
    REFUSED = "refused"
    """A label of a request that was answered with errors only."""
    ROW_MISSING = "row_missing"
    """A label without a row number, of a request with several rows."""
    ROW_UNKNOWN = "row_unknown"
    """A label with a row number that its request does not have."""
    FEATURES_NOT_RECORDED = "features_not_recorded"
    """A label of a request whose features are too large, or too many rows, to be kept."""
    NOT_LEARNABLE = "not_learnable"
    """A label of a request whose outputs are not outputs of rows, such as images."""
    TOO_LARGE = "too_large"
    """A label whose feedback would be larger than a topic takes."""
    MALFORMED = "malformed"
    """A record with a readable id that is not a valid label."""


class Unjoined(Contract):
    """A label or a prediction that was not joined, and the reason; `detail` says more."""

    id: RequestId
    row: RowNumber | None = None
    reason: UnjoinedReason
    detail: Detail | None = None
    label: LabelValue | None = None
    event_time: EventTime | None = None
    label_time: EventTime | None = None


class Quarantined(Contract):
    """A feedback row that the learner's guard rejected, and the rule that rejected it."""

    id: RequestId
    model: ModelName
    rule: Code
    detail: Detail
    source: SourcePosition
