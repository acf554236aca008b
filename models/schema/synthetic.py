"""Synthetic rows that are valid under an input schema."""

import numpy as np

from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch, Feature, InputSchema


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
