"""The few facts of each message that an account needs, read leniently.

An auditor does not share the judgement of those it audits: a request counts as sent although a
worker must refuse it. And rows of features, which it does not need, are not built.
"""

from math import nan
from typing import Any

from modstream.broker.errors import ContractViolated, DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Contract, RequestId, Scored, Source
from modstream.models.schema.card import Task
from modstream.processors.predict.outputs import NAMES


class Asked(Contract):
    """A request: who asks, when, and which model if it names one."""

    id: RequestId
    model: str | None = None
    event_time: int | None = None


class Answered(Contract):
    """A prediction without its features."""

    id: RequestId
    model: str
    version: int
    outputs: Any
    source: Source


class Joined(Contract):
    """A feedback record; of its features only whether there are any."""

    id: RequestId
    label: Any
    features: Any = None
    predictions: tuple[Scored, ...]
    revises: Any = None


def asked(value: bytes | None) -> Asked | None:
    """What a request record asks, or None where not even an id can be read."""
    try:
        return decode(Asked, value)
    except ContractViolated as error:
        return Asked(id=error.request_id) if error.request_id is not None else None
    except DecodeError:
        return None


def number_in(outputs: object) -> float:
    """The probability of an answer, else its first number, else NaN."""
    if not isinstance(outputs, dict):
        return nan
    found = outputs.get("probability")
    return as_number(found) if found is not None else next(map(as_number, outputs.values()), nan)


def task_in(outputs: object) -> Task | None:
    """The task of the model that gave an answer, as its outputs show it."""
    if not isinstance(outputs, dict):
        return None
    return next((task for task, name in NAMES.items() if name in outputs), None)


def as_number(value: object) -> float:
    """A label or an output as a number: booleans are 0 and 1, text is NaN."""
    return float(value) if isinstance(value, int | float) else nan
