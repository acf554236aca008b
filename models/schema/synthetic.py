"""Rows that a model can predict: its samples, or synthetic rows that fit its input schema."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modstream.models.schema.card import ModelCard
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch, Feature, InputSchema
from modstream.models.schema.tensor_inputs import DTYPES


def warm_up_batch(card: ModelCard, rows: int) -> Batch:
    """Return rows that a version can predict: its card's samples, repeated, or synthetic rows."""
    samples = card.sample_rows
    if not samples:
        return synthetic_batch(card.input_schema, rows)
    return card.input_schema.parse_rows([samples[at % len(samples)] for at in range(rows)]).batch


def synthetic_tensors(card: ModelCard) -> dict[str, NDArray[Any]]:
    """Return zeros, or empty strings, for each tensor that a version takes; one row each."""
    return {
        spec.name: np.full(
            [1 if length is None else length for length in spec.shape],
            "" if spec.datatype == "BYTES" else 0,
            dtype=DTYPES[spec.datatype],
        )
        for spec in card.input_tensors
    }


def synthetic_batch(schema: InputSchema, rows: int) -> Batch:
    """Return rows spread evenly over each feature's range, or over 0 to 1 if it has no range."""
    shares = np.linspace(0.0, 1.0, rows).tolist()
    values = [
        {feature.name: _synthetic_value(feature, share) for feature in schema.features}
        for share in shares
    ]
    return schema.parse_rows(values).batch


def _synthetic_value(feature: Feature, share: float) -> Scalar:
    """Return the value at a share (0 to 1) of the way from the feature's low to its high bound."""
    if feature.kind == "string":
        return "warm-up"
    if feature.kind == "bool":
        return share > 0.5
    low = feature.low if feature.low is not None else min(0.0, feature.high or 0.0)
    high = feature.high if feature.high is not None else max(1.0, low)
    value = (1.0 - share) * low + share * high
    return round(value) if feature.kind == "int" else value
