"""Bad records, kind by kind, each with what must become of it.

A worker gives every record exactly one way out. Whoever can be told is told, by an error answer;
where not even an id can be read, or the record is too large, it goes to the dead-letter topic.
"""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.features import Row
from modstream.producers.errors import NoNumericFeature
from modstream.producers.records.random_rows import padded, tensors

Maker = Callable[[random.Random, Request], bytes]

TOO_LARGE = "too_large"
TWO_MEGABYTES = 2 * 1024 * 1024
DEPTH = 100_000
UNKNOWN = "no-such-model"


@dataclass(frozen=True, slots=True)
class BadKind:
    """How to make one kind of bad record of a good request, and the way out it must take."""

    make: Maker
    way_out: Literal["error", "dead_letter"]
    code: str


def _not_json(rng: random.Random, good: Request) -> bytes:
    value = encode(good)
    return value[: rng.randrange(1, len(value))]


def _empty(_: random.Random, __: Request) -> bytes:
    return b""


def _not_utf8(_: random.Random, good: Request) -> bytes:
    return encode(good).replace(b'"id":"', b'"id":"\xff\xfe', 1)


def _deep_nesting(_: random.Random, good: Request) -> bytes:
    return padded(encode(good), 1).replace(b'"x"', b"[" * DEPTH + b"]" * DEPTH, 1)


def _too_large(_: random.Random, good: Request) -> bytes:
    return padded(encode(good), TWO_MEGABYTES)


def _no_features(_: random.Random, good: Request) -> bytes:
    return encode(good.model_copy(update={"features": None}))


def _unknown_model(_: random.Random, good: Request) -> bytes:
    return encode(good.model_copy(update={"model": UNKNOWN}))


def _wrong_type(rng: random.Random, good: Request) -> bytes:
    return _with_value(good, _a_number(rng, good, int, float), "not a number")


def _not_finite(rng: random.Random, good: Request) -> bytes:
    # An integer feature would call it a wrong type.
    return _with_value(good, _a_number(rng, good, float), math.nan)


def _missing_feature(rng: random.Random, good: Request) -> bytes:
    row = _row(good)
    missing = rng.choice(sorted(row))
    kept = {name: value for name, value in row.items() if name != missing}
    return encode(good.model_copy(update={"features": kept}))


def _wrong_shape(_: random.Random, good: Request) -> bytes:
    first, *others = tensors([_row(good)])
    spoiled = (first.model_copy(update={"shape": (1, 3)}), *others)
    return encode(good.model_copy(update={"features": None, "inputs": spoiled}))


def _row(good: Request) -> Row:
    return good.features if isinstance(good.features, dict) else {}


def _a_number(rng: random.Random, good: Request, *types: type) -> str:
    row = _row(good)
    names = sorted(name for name, value in row.items() if type(value) in types)
    if not names:
        raise NoNumericFeature(good.id)
    return rng.choice(names)


def _with_value(good: Request, name: str, value: str | float) -> bytes:
    return encode(good.model_copy(update={"features": {**_row(good), name: value}}))


BAD: Mapping[str, BadKind] = {
    "not_json": BadKind(_not_json, "dead_letter", "not_json"),
    "empty": BadKind(_empty, "dead_letter", "not_json"),
    "not_utf8": BadKind(_not_utf8, "dead_letter", "not_json"),
    "deep_nesting": BadKind(_deep_nesting, "dead_letter", "not_json"),
    TOO_LARGE: BadKind(_too_large, "dead_letter", "too_large"),
    "no_features": BadKind(_no_features, "error", "contract_violated"),
    "unknown_model": BadKind(_unknown_model, "error", "unknown_model"),
    "wrong_type": BadKind(_wrong_type, "error", "wrong_type"),
    "nan": BadKind(_not_finite, "error", "not_finite"),
    "missing_feature": BadKind(_missing_feature, "error", "missing_feature"),
    "wrong_shape": BadKind(_wrong_shape, "error", "wrong_shape"),
}
"""Every kind by name. A maker takes a request with one row by name; `wrong_type`
and `nan` raise NoNumericFeature where the row has no number, or no float, to spoil."""
