"""The fields of each message that an audit needs, decoded leniently.

A request counts as sent even if a worker must reject it, so its features are not validated. Rows
of features, which an audit does not need, are not built. What counts as a duplicate request is
decided by the worker's own `DedupWindow`.
"""

from math import nan
from typing import Any

from modstream.broker.errors import ContractViolated, DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Contract, JoinedPrediction, SourcePosition
from modstream.broker.wire.identifiers import RequestId
from modstream.models.schema.card import OUTPUT_NAMES, Task


class LenientRequest(Contract):
    """A request: its id, its event time, and the model that it names, if any."""

    id: RequestId
    model: str | None = None
    event_time: int | None = None


class LenientPrediction(Contract):
    """A prediction without its features."""

    id: RequestId
    model: str
    version: int
    outputs: Any
    source: SourcePosition


class LenientFeedback(Contract):
    """A feedback record; its features are not decoded."""

    id: RequestId
    label: Any
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


def numeric_output(outputs: object) -> float:
    """Return the probability of a prediction, else its first output as a number, else NaN."""
    if not isinstance(outputs, dict):
        return nan
    found = outputs.get("probability")
    return to_number(found) if found is not None else next(map(to_number, outputs.values()), nan)


def infer_task(outputs: object) -> Task | None:
    """Return the task of a model as the outputs of a prediction imply it, or None."""
    if not isinstance(outputs, dict):
        return None
    return next((task for task, name in OUTPUT_NAMES.items() if name in outputs), None)


def to_number(value: object) -> float:
    """Return a label or an output as a number: booleans are 0 and 1, text is NaN."""
    return float(value) if isinstance(value, int | float) else nan
