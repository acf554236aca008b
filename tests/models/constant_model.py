"""Models with a constant prediction, so that a prediction identifies the version that made it."""

import math

import numpy as np
from river import linear_model
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

from modstream.models.registry.registry import Registry
from modstream.models.runtimes.river.runtime import pack
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.serving.loaded_models import LoadedModel

SCHEMA = InputSchema.of_floats(["distance"])


def constant_artifact(number: float) -> bytes:
    """Pack a logistic regression whose weights are 0 and whose intercept is `number`."""
    return pack(linear_model.LogisticRegression(intercept_init=number))


def constant_onnx_artifact(number: float) -> bytes:
    """Export the same model from scikit-learn."""
    model = LogisticRegression().fit(np.array([[0.0], [1.0]]), np.array([False, True]))
    model.coef_[:] = 0.0
    model.intercept_[:] = number
    exported = to_onnx(model, np.zeros((1, 1), np.float32), options={"zipmap": False})
    return bytes(exported.SerializeToString())


def constant_spec(name: str, number: float, runtime: str = "river") -> VersionSpec:
    """Return the spec of `constant_artifact(number)`; its offsets contain the number too."""
    return VersionSpec(
        name=name,
        runtime=runtime,
        task="binary",
        classes=(False, True),
        input_schema=SCHEMA,
        offsets={} if math.isnan(number) else {"flights.feedback:0": round(number)},
    )


def publish_constant(
    registry: Registry, number: float, name: str = "flights", alias: str | None = "champion"
) -> ModelCard:
    """Publish the model of a number and return its card."""
    return registry.publish(constant_spec(name, number), constant_artifact(number), alias=alias)


def served_constant(loaded: LoadedModel) -> int:
    """Return the number of a loaded version: the logit of its prediction, checked by its card."""
    batch = SCHEMA.parse_rows([{"distance": 1.0}]).batch
    (probability,) = loaded.runtime.predict(batch).tolist()
    number = round(math.log(probability / (1 - probability)))
    assert loaded.card.offsets == {"flights.feedback:0": number}
    return number
