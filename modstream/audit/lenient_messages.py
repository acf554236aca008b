"""The fields of each message that an audit needs, decoded leniently.

A request counts as sent even if a worker must reject it, so its features are not validated. Rows
of features, which an audit does not need, are not built. What counts as a duplicate request is
decided by the worker's own `DedupWindow`.
"""

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

from pydantic import TypeAdapter, ValidationError

from modstream.broker.errors import ContractViolated, DecodeError
from modstream.broker.wire.bounds import EventTime
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import (
    Contract,
    JoinedPrediction,
    OutputTensor,
    SourcePosition,
    Tensor,
)
from modstream.broker.wire.features import expand_rows
from modstream.broker.wire.identifiers import RequestId, RowNumber
from modstream.models.schema.class_labels import finite_number
from modstream.processors.join.answers import tensors_by_row

MAX_ROWS = 1000
"""Number of rows of one response whose outputs are read; later rows are never joined."""

_TENSORS = TypeAdapter(tuple[OutputTensor | Tensor, ...])


class LenientRequest(Contract):
    """A request: its id, its event time, and the model that it names, if any."""

    id: RequestId
    model: str | None = None
    event_time: EventTime | None = None


class LenientPrediction(Contract):
    """A prediction without its features."""

    id: RequestId
    model: str
    version: int
    outputs: Any
    source: SourcePosition


class PredictionWithFeatures(LenientPrediction):
    """A prediction with its features, which are not validated."""

    features: Any = None


class LenientFeedback(Contract):
    """A feedback record; its features are not decoded."""

    id: RequestId
    label: Any
    row: RowNumber | None = None
    features: Any = None
    predictions: tuple[JoinedPrediction, ...]
    revises: Any = None


def read_request(value: bytes | None) -> LenientRequest | None:
    """Decode a request; return None if not even an id can be read."""
    try:
        return decode(LenientRequest, value)
    except ContractViolated as error:
        return LenientRequest(id=error.request_id) if error.request_id is not None else None
    except DecodeError:
        return None


def output_rows(outputs: object) -> Sequence[Mapping[str, Any]]:
    """Return the outputs of each row by name, in whatever format; at most `MAX_ROWS` rows."""
    if isinstance(outputs, Mapping):
        return [outputs]
    if not isinstance(outputs, Sequence) or isinstance(outputs, str):
        return []
    if outputs and isinstance(outputs[0], Mapping) and "datatype" in outputs[0]:
        try:
            rows = tensors_by_row(_TENSORS.validate_python(outputs))
        except ValidationError:
            return []
        return rows[:MAX_ROWS] if isinstance(rows, list) else []
    return [one for one in outputs[:MAX_ROWS] if isinstance(one, Mapping)]


def numeric_output(outputs: object) -> float:
    """Return the probability of a prediction, else its first output as a number, else NaN.

    Of several rows it is that of the first.
    """
    rows = output_rows(outputs)
    if not rows:
        return nan
    found = rows[0].get("probability")
    return to_number(found) if found is not None else next(map(to_number, rows[0].values()), nan)


def feature_rows(features: object) -> Sequence[Mapping[str, Any]]:
    """Return the features of each row by name, in whatever format; at most `MAX_ROWS` rows."""
    try:
        found = expand_rows(features)
    except ValueError:
        return []
    rows = [found] if isinstance(found, Mapping) else found
    if not isinstance(rows, list):
        return []
    return [one if isinstance(one, Mapping) else {} for one in rows[:MAX_ROWS]]


def top_probability(outputs: Mapping[str, Any]) -> float:
    """Return the highest probability of the classes in one row's outputs, NaN without any."""
    by_class = outputs.get("probabilities")
    if not isinstance(by_class, Mapping) or not by_class:
        return nan
    highest = max(map(to_number, by_class.values()))
    return highest if 0 <= highest <= 1 else nan


def to_number(value: object) -> float:
    """Return an output as a finite number: booleans are 0 and 1, everything else is NaN."""
    number = float(value) if isinstance(value, bool) else finite_number(value)
    return nan if number is None else number
