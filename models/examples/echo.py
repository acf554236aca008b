"""A model that returns its input, so that a prediction shows which row it belongs to."""

import numpy as np
from sklearn.linear_model import LinearRegression

from modstream.models.importers.onnx_export import to_onnx
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec

ECHO_FEATURE = "hash"
ECHO_SCHEMA = InputSchema(features=(Feature(name=ECHO_FEATURE, kind="float"),))
"""One float feature; integers up to 2**24 are exact in float32 and come back unchanged."""


def make_echo(name: str) -> tuple[VersionSpec, bytes]:
    """Return the spec and the ONNX artifact of the regression y = x."""
    model = LinearRegression()
    # The coefficients are set, as a fit would differ from 1 by a rounding error.
    model.coef_, model.intercept_, model.n_features_in_ = np.ones(1), 0.0, 1
    golden = ECHO_SCHEMA.parse_rows([{ECHO_FEATURE: float(2**24 - 1)}, {ECHO_FEATURE: 0.0}]).batch
    spec = VersionSpec(
        name=name,
        runtime="onnx",
        task="regression",
        input_schema=ECHO_SCHEMA,
        note="returns every number unchanged",
    )
    return spec, to_onnx(model, ECHO_SCHEMA, golden)
