"""Rows to compare an export with its original on, at the scale of the model's own data.

They are made from what the model records about its features, or are the caller's samples. Rows that
the model itself cannot predict are left out.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modstream.models.errors import OptionNotSupported
from modstream.models.importers.description import SAMPLE_ROW_LIMIT
from modstream.models.runtimes.sklearn_features import FeatureFacts
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch, Feature, InputSchema

ROW_COUNT = 256
"""Number of rows that are made for a comparison."""
MAX_COMPARED_VALUES = 200_000
"""Largest number of values of all rows together; a wide model is compared on fewer rows."""
MAX_CARD_VALUES, MAX_CARD_ROWS = 1000, 5
"""Largest number of values, and of rows, of the sample rows on a card."""
MAX_TRIED_ROWS = 150
"""Largest number of predictions that the search for usable rows may need."""
_WORDS = ("never", "seen", "Before", "42", "naïve", "it's", "a", "B2B", "co-op")
"""Words that a vocabulary may not have."""

Row = dict[str, Scalar | None]
Numbers = npt.NDArray[np.float64]
IsUsable = Callable[[Batch], npt.NDArray[np.bool_]]
"""Predicts a batch; returns whether each row has a finite prediction. It may raise anything."""


def make_rows(schema: InputSchema, facts: Sequence[FeatureFacts], count: int) -> list[Row]:
    """Return rows of every feature's own values, of values between and near them, and others.

    Without facts, numbers are random with standard deviations of 1 and 10, or between 0 and 1.
    """
    rng = np.random.default_rng(0)
    names = schema.names
    columns = [
        _column(feature, fact, count, rng)
        for feature, fact in zip(schema.features, facts, strict=True)
    ]
    rows: list[Row] = [dict(zip(names, one, strict=True)) for one in zip(*columns, strict=True)]
    _place_zeros(rows, schema, facts, rng)
    return rows


def _place_zeros(
    rows: Sequence[Row],
    schema: InputSchema,
    facts: Sequence[FeatureFacts],
    rng: np.random.Generator,
) -> None:
    """Put one feature of every fourth row to where a linear function of it is zero, or near that.

    Where a constant is large, that shows at which scale the features cancel it.
    """
    carriers = [
        (feature.name, fact.zeros)
        for feature, fact in zip(schema.features, facts, strict=True)
        if fact.zeros and feature.kind == "float"
    ]
    for number, row in enumerate(rows[1::4] if carriers else ()):
        name, zeros = carriers[number % len(carriers)]
        zero = zeros[rng.integers(len(zeros))]
        near = float(rng.normal()) * max(1.0, abs(zero) / 1000) if number % 3 == 0 else 0.0
        row[name] = zero + near


def _column(
    feature: Feature, fact: FeatureFacts, count: int, rng: np.random.Generator
) -> list[Scalar | None]:
    """Return one feature's values; row by row, all features are made in the same way."""
    if feature.kind == "string":
        values: list[Scalar | None] = [_string(fact, rng) for _ in range(count)]
    elif feature.kind == "bool":
        values = [bool(one) for one in rng.random(count) < 0.5]
    else:
        numbers = _numbers(fact, feature, count, rng)
        known = [one for one in fact.categories if type(one) is int]
        if feature.kind == "int" and known:
            # An identifier may have more digits than a float.
            values = [known[rng.integers(len(known))] for _ in range(count)]
        elif feature.kind == "int":
            values = [round(one) for one in numbers]
        else:
            values = list(numbers)
    if feature.missing:
        absent = rng.random(count) < 0.1
        values = [None if gone else one for one, gone in zip(values, absent, strict=True)]
    return values


def _string(fact: FeatureFacts, rng: np.random.Generator) -> str:
    if fact.is_text:
        words = [*fact.words[:200], *_WORDS]
        return " ".join(rng.choice(words, rng.integers(0, 9)).tolist())
    known = [one for one in fact.categories or fact.fills if isinstance(one, str)]
    if not known or (not fact.is_strict and rng.random() < 0.1):
        return str(rng.choice(_WORDS))
    return known[rng.integers(len(known))]


def _numbers(
    fact: FeatureFacts, feature: Feature, count: int, rng: np.random.Generator
) -> Sequence[float]:
    categories = [float(one) for one in fact.categories if isinstance(one, int | float)]
    categories = [one for one in categories if math.isfinite(one)]
    known = [*fact.numbers, *categories]
    low, high = _range(feature, known)
    values = []
    for at in range(count):
        is_far = at >= count * 7 // 8
        if fact.is_encoded and categories:
            values.append(float(rng.choice(categories)))
        elif known and at % 2 == 0:
            values.append(float(known[rng.integers(len(known))]))
        elif not known and feature.low is None and feature.high is None:
            values.append(_unscaled(at, rng))
        elif is_far:
            values.append(float(abs(rng.normal())) * max(abs(low), abs(high), 1e-3) / 3)
        else:
            values.append(float(rng.uniform(low, high)))
    least = -math.inf if feature.low is None else feature.low
    most = math.inf if feature.high is None else feature.high
    return [min(max(value, least), most) for value in values]


def _range(feature: Feature, known: Sequence[float]) -> tuple[float, float]:
    if known:
        # Far values, as of a linear function that is nearly flat, do not stretch the range.
        low, high = np.quantile(known, [0.02, 0.98]).tolist()
        margin = 0.1 * (high - low) or 0.1 * abs(high) or 1.0
        return low - margin, high + margin
    low = feature.low if feature.low is not None else min(0.0, feature.high or 0.0)
    high = feature.high if feature.high is not None else max(1.0, low + 1.0)
    return low, high


def _unscaled(at: int, rng: np.random.Generator) -> float:
    """Return a random number; row by row all are normal, or not negative, or small integers."""
    kind = at % 8
    if kind in {0, 1, 4}:
        return float(rng.normal())
    if kind in {2, 5}:
        return float(rng.normal(scale=10.0))
    return float(rng.random()) if kind in {3, 6} else float(rng.integers(0, 3))


def described_rows(schema: InputSchema, samples: Sequence[Mapping[str, object]]) -> list[Row]:
    """Return the caller's samples as rows of the schema, at most `SAMPLE_ROW_LIMIT`.

    Raises:
        OptionNotSupported: one does not fit the schema.
    """
    chosen = samples[:SAMPLE_ROW_LIMIT]
    parsed = schema.parse_rows(chosen)
    for position, error in parsed.errors.items():
        raise OptionNotSupported("--sample", f"row {position + 1}: {error}")
    return rows_of(schema, parsed.batch)


def rows_of(schema: InputSchema, batch: Batch) -> list[Row]:
    """Return the rows of a batch, with None where a value is missing."""
    rows = batch.rows()
    for feature in schema.features:
        if feature.missing and feature.kind == "float":
            for row in rows:
                if math.isnan(row[feature.name]):
                    row[feature.name] = None
    return rows


def batch_of(schema: InputSchema, rows: Sequence[Mapping[str, object]]) -> Batch:
    """Return rows that fit the schema as a batch."""
    return schema.parse_rows(rows).batch


def row_count(width: int) -> int:
    """Return how many rows of a model with this number of features are compared."""
    return max(16, min(ROW_COUNT, MAX_COMPARED_VALUES // max(1, width)))


def usable_positions(batch: Batch, is_usable: IsUsable) -> tuple[list[int], str]:
    """Return the positions of rows that a model can predict, and why it cannot predict others.

    A batch that fails is halved, until the row that fails is alone. After `MAX_TRIED_ROWS` failed
    predictions, the rows that were not tried are left out.
    """
    reasons: list[str] = []
    found = list(_usable(batch, list(range(batch.size)), is_usable, reasons))
    return sorted(found), reasons[-1] if reasons else "its predictions are not finite"


def _usable(
    batch: Batch, positions: list[int], is_usable: IsUsable, reasons: list[str]
) -> Iterator[int]:
    if len(reasons) >= MAX_TRIED_ROWS or not positions:
        return
    try:
        usable = is_usable(batch.take(positions))
    except Exception as error:  # noqa: BLE001 - a model may raise anything
        reasons.append(f"{type(error).__name__}: {error}")
        half = len(positions) // 2
        if half:
            yield from _usable(batch, positions[:half], is_usable, reasons)
            yield from _usable(batch, positions[half:], is_usable, reasons)
        return
    yield from (at for at, is_good in zip(positions, usable.tolist(), strict=True) if is_good)


def card_rows(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return the first rows, as few as a card should carry; a whole row at least."""
    if not rows:
        return ()
    count = max(1, min(MAX_CARD_ROWS, MAX_CARD_VALUES // max(1, len(rows[0]))))
    return tuple(rows[:count])


def edge_batches(
    batch: Batch, predict: Callable[[Batch], Numbers], pairs: int = 12, steps: int = 34
) -> Batch:
    """Return rows on both sides of where a model's outputs change most, ever closer together.

    Between two rows with different outputs, the half in which the outputs differ more is halved
    again, until float32 cannot tell the numbers apart: where the model jumps, an export that
    computes in float32 falls on the other side.
    """
    floats = [name for name, column in batch.columns.items() if column.dtype.kind == "f"]
    rng = np.random.default_rng(1)
    first, second = (batch.take(rng.integers(batch.size, size=pairs).tolist()) for _ in range(2))
    # All other columns, and missing numbers, are those of the first row.
    second = Batch({**first.columns, **{name: second.columns[name] for name in floats}}, pairs)
    for name in floats:
        left, right = first.columns[name], second.columns[name]
        second.columns[name] = np.where(np.isnan(left) | np.isnan(right), left, right)
    found = [first, second]
    low, high = _flat(predict(first)), _flat(predict(second))
    for _ in range(steps if floats else 0):
        middle = Batch(dict(first.columns), pairs)
        for name in floats:
            middle.columns[name] = first.columns[name] / 2 + second.columns[name] / 2
        between = _flat(predict(middle))
        in_first = np.abs(between - low).max(axis=1) >= np.abs(high - between).max(axis=1)
        first, low = _choose(in_first, first, middle), np.where(in_first[:, None], low, between)
        second = _choose(in_first, middle, second)
        high = np.where(in_first[:, None], between, high)
        found.extend((first, second))
    return Batch.concat(found)


def _flat(outputs: Numbers) -> Numbers:
    return outputs.reshape(len(outputs), -1)


def _choose(is_left: Any, left: Batch, right: Batch) -> Batch:  # noqa: ANN401 - an array of bools
    columns = {
        name: np.where(is_left, left.columns[name], right.columns[name]) for name in left.columns
    }
    return Batch(columns, left.size)
