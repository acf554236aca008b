"""The kinds of bad records, each with its expected exit.

Every record leaves a worker by exactly one exit. A bad record gets an error response if its id
can be read; otherwise, or if the record is too large, it goes to the dead-letter topic.
"""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.features import FeatureRow
from modstream.producers.errors import NoNumericFeature
from modstream.producers.records.random_rows import rows_to_tensors, with_padding

RecordMaker = Callable[[random.Random, Request], bytes]

TOO_LARGE = "too_large"
TOO_LARGE_BYTES = 2 * 1024 * 1024
NESTING_DEPTH = 100_000
UNKNOWN_MODEL = "no-such-model"


@dataclass(frozen=True, slots=True)
class BadRecordKind:
    """A kind of bad record: how to make one from a good request, and its expected exit and code."""

    make: RecordMaker
    expected_exit: Literal["error", "dead_letter"]
    code: str


def _not_json(rng: random.Random, good: Request) -> bytes:
    value = encode(good)
    return value[: rng.randrange(1, len(value))]


def _empty(_: random.Random, __: Request) -> bytes:
    return b""


def _not_utf8(_: random.Random, good: Request) -> bytes:
    return encode(good).replace(b'"id":"', b'"id":"\xff\xfe', 1)


def _deep_nesting(_: random.Random, good: Request) -> bytes:
    return with_padding(encode(good), 1).replace(
        b'"x"', b"[" * NESTING_DEPTH + b"]" * NESTING_DEPTH, 1
    )


def _too_large(_: random.Random, good: Request) -> bytes:
    return with_padding(encode(good), TOO_LARGE_BYTES)


def _no_features(_: random.Random, good: Request) -> bytes:
    return encode(good.model_copy(update={"features": None}))


def _unknown_model(_: random.Random, good: Request) -> bytes:
    return encode(good.model_copy(update={"model": UNKNOWN_MODEL}))


def _wrong_type(rng: random.Random, good: Request) -> bytes:
    return _with_value(good, _numeric_feature(rng, good, int, float), "not a number")


def _not_finite(rng: random.Random, good: Request) -> bytes:
    # For an integer feature NaN is a wrong type, which is another kind.
    return _with_value(good, _numeric_feature(rng, good, float), math.nan)


def _missing_feature(rng: random.Random, good: Request) -> bytes:
    row = _row(good)
    missing = rng.choice(sorted(row))
    kept = {name: value for name, value in row.items() if name != missing}
    return encode(good.model_copy(update={"features": kept}))


def _wrong_shape(_: random.Random, good: Request) -> bytes:
    first, *others = rows_to_tensors([_row(good)])
    spoiled = (first.model_copy(update={"shape": (1, 3)}), *others)
    return encode(good.model_copy(update={"features": None, "inputs": spoiled}))


def _row(good: Request) -> FeatureRow:
    return good.features if isinstance(good.features, dict) else {}


def _numeric_feature(rng: random.Random, good: Request, *types: type) -> str:
    row = _row(good)
    names = sorted(name for name, value in row.items() if type(value) in types)
    if not names:
        raise NoNumericFeature(good.id)
    return rng.choice(names)


def _with_value(good: Request, name: str, value: str | float) -> bytes:
    return encode(good.model_copy(update={"features": {**_row(good), name: value}}))


BAD_RECORDS: Mapping[str, BadRecordKind] = {
    "not_json": BadRecordKind(_not_json, "dead_letter", "not_json"),
    "empty": BadRecordKind(_empty, "dead_letter", "not_json"),
    "not_utf8": BadRecordKind(_not_utf8, "dead_letter", "not_json"),
    "deep_nesting": BadRecordKind(_deep_nesting, "dead_letter", "not_json"),
    TOO_LARGE: BadRecordKind(_too_large, "dead_letter", "too_large"),
    "no_features": BadRecordKind(_no_features, "error", "contract_violated"),
    "unknown_model": BadRecordKind(_unknown_model, "error", "unknown_model"),
    "wrong_type": BadRecordKind(_wrong_type, "error", "wrong_type"),
    "nan": BadRecordKind(_not_finite, "error", "not_finite"),
    "missing_feature": BadRecordKind(_missing_feature, "error", "missing_feature"),
    "wrong_shape": BadRecordKind(_wrong_shape, "error", "wrong_shape"),
}
"""All kinds by name. `make` takes a request with one row by name. `wrong_type` and `nan` raise
NoNumericFeature if the row has no numeric feature, or no float feature."""
