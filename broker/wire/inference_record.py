"""The message of the inference log: what became of one request.

`modstream.processors.predict.inference_columns` writes it for whole batches.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from modstream.broker.wire.bounds import (
    MAX_PREDICTIONS,
    Alias,
    Code,
    Count,
    Detail,
    EventTime,
    KnownVersion,
    NamedOutputs,
    VersionNumber,
)
from modstream.broker.wire.contracts import Contract, OutputTensor, SourcePosition, Tensor
from modstream.broker.wire.features import NamedRows
from modstream.broker.wire.identifiers import ModelName, RequestId

REDACTED = "[redacted]"
"""What the log has in place of a value that it must not contain."""


class InferenceOutcome(StrEnum):
    """How a request, or what it asks of one model, was answered."""

    ANSWERED = "answered"
    """With a prediction; for a request: with one of each model."""
    PARTLY_ANSWERED = "partly_answered"
    """With predictions of some models and errors of the others; never of a single model."""
    ERROR = "error"
    """With a typed error."""
    EXPIRED = "expired"
    """With the error `deadline_exceeded`."""
    DEAD_LETTER = "dead_letter"
    """Not at all: the record was moved to the dead letters."""
    DUPLICATE = "duplicate"
    """Not again: an earlier request with this id has been answered."""


class ModelAnswer(BaseModel):
    """One response to a request.

    `model` and `version` are those that answered. They are absent where the request failed before
    a version was found; `model` is then that of the route, if there is one. `code` is that of an
    error or a dead letter. `bytes_out` is the size of the response's value. `milliseconds` is the
    time that the model took for all requests of the batch. `outputs` are those of the prediction.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")

    model: ModelName | None = None
    version: KnownVersion | None = None
    outcome: InferenceOutcome
    code: Code | None = None
    bytes_out: Count
    milliseconds: float | None = None
    outputs: NamedOutputs | tuple[OutputTensor | Tensor, ...] | tuple[NamedOutputs, ...] | None = (
        None
    )


class InferenceRecord(Contract):
    """What became of one record of the topic of requests.

    `asked_model` is the model that the request names, if it names one; `asked_version` the version
    or alias that it asks for, which is `champion` if it names none. `answers` has one entry for
    each response, in the order of the route, and none for a duplicate.

    `arrived` is the timestamp of the request's record, `read` is when the worker began to handle
    its batch, and `handled` when the responses of the batch were ready. The timestamp of the log's
    own record is when the broker appended it, in the same transaction as the response. `batch` is
    the number of records in the batch.

    `features` are those that the primary's prediction records. `omitted` is the reason why features
    and outputs are absent although they should be logged.
    """

    id: RequestId | None = None
    asked_model: Code | None = None
    asked_version: VersionNumber | Alias | None = None
    outcome: InferenceOutcome
    answers: Annotated[tuple[ModelAnswer, ...], Field(max_length=MAX_PREDICTIONS)] = ()
    arrived: EventTime | None = None
    read: EventTime | None = None
    handled: EventTime | None = None
    batch: Count | None = None
    bytes_in: Count
    source: SourcePosition
    features: NamedRows | None = None
    omitted: Detail | None = None
