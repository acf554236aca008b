"""A model whose output is its input, so that an answer proves by its value whose row it answers."""

import numpy as np
from sklearn.linear_model import LinearRegression

from modstream.models.importers.onnx_export import to_onnx
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import Draft

FEATURE = "hash"
ECHO_FEATURES = InputSchema(features=(Feature(name=FEATURE, kind="float"),))
"""One number; integers below 2**24 are exact in float32 and come back unchanged."""


def make_echo(name: str) -> tuple[Draft, bytes]:
    """The regression y = x, exported to ONNX."""
    model = LinearRegression()
    # Set, not fitted: a fit would come out a rounding error beside 1.
    model.coef_, model.intercept_, model.n_features_in_ = np.ones(1), 0.0, 1
    golden = ECHO_FEATURES.batch([{FEATURE: float(2**24 - 1)}, {FEATURE: 0.0}]).batch
    draft = Draft(
        name=name,
        runtime="onnx",
        task="regression",
        input_schema=ECHO_FEATURES,
        note="answers every number with itself",
    )
    return draft, to_onnx(model, ECHO_FEATURES, golden)
