"""Random rows that fit an input schema."""

from typing import Any

import numpy as np

from modstream.models.schema.columns import FeatureColumn
from modstream.models.schema.feature import Feature
from modstream.models.schema.input_schema import InputSchema

MISSING_SHARE = 0.05
CATEGORIES = 10
"""Number of different texts of a feature."""


def synthetic_columns(schema: InputSchema, rows: int, seed: int) -> dict[str, list[Any]]:
    """Return random values of each feature, of length `rows`; the same ones for the same seed.

    Numbers with bounds are uniform between them, others are standard normal, whole ones Poisson.
    Of a feature that may be missing, a share of `MISSING_SHARE` is None.
    """
    generator = np.random.default_rng(seed)
    columns = {}
    for feature in schema.features:
        values: list[Any] = _values(feature, rows, generator).tolist()
        if feature.missing:
            absent = generator.random(rows) < MISSING_SHARE
            values = [
                None if is_absent else value
                for value, is_absent in zip(values, absent.tolist(), strict=True)
            ]
        columns[feature.name] = values
    return columns


def _values(feature: Feature, rows: int, generator: np.random.Generator) -> FeatureColumn:
    if feature.kind == "bool":
        return generator.random(rows) < 0.5
    if feature.kind == "string":
        numbers = generator.integers(CATEGORIES, size=rows)
        return np.array([f"{feature.name}-{number}" for number in numbers.tolist()], object)
    low, high = feature.low, feature.high
    if feature.kind == "int":
        if low is None or high is None:
            return generator.poisson(5.0, rows) + round(low or 0.0)
        return generator.integers(round(low), round(high), size=rows, endpoint=True)
    if low is None or high is None:
        normal = generator.standard_normal(rows)
        return np.clip(normal, low, high) if (low, high) != (None, None) else normal
    return generator.uniform(low, high, rows)
