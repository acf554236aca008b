"""Models that answer every row with a probability of their own, so that answers tell versions."""

import math

import numpy as np
from river import linear_model
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

from modstream.models.registry.registry import Draft, Registry
from modstream.models.runtimes.river.runtime import pack
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import InputSchema
from modstream.models.serving.loaded_models import Loaded

SCHEMA = InputSchema.floats(["distance"])


def artifact(number: float) -> bytes:
    """Pack a logistic regression whose weights are 0 and whose intercept is `number`."""
    return pack(linear_model.LogisticRegression(intercept_init=number))


def onnx_artifact(number: float) -> bytes:
    """Export the same model from scikit-learn."""
    model = LogisticRegression().fit(np.array([[0.0], [1.0]]), np.array([False, True]))
    model.coef_[:] = 0.0
    model.intercept_[:] = number
    exported = to_onnx(model, np.zeros((1, 1), np.float32), options={"zipmap": False})
    return bytes(exported.SerializeToString())


def biased(name: str, number: float, runtime: str = "river") -> Draft:
    """Describe the model of `artifact(number)`; its offsets carry the number too."""
    return Draft(
        name=name,
        runtime=runtime,
        task="binary",
        classes=(False, True),
        input_schema=SCHEMA,
        offsets={} if math.isnan(number) else {"flights.feedback:0": round(number)},
    )


def publish(
    registry: Registry, number: float, name: str = "flights", alias: str | None = "champion"
) -> ModelCard:
    """Publish the model of a number."""
    return registry.publish(biased(name, number), artifact(number), alias=alias)


def number_of(loaded: Loaded) -> int:
    """Ask a loaded version for its number: the logit of its answer, which its card confirms."""
    batch = SCHEMA.batch([{"distance": 1.0}]).batch
    (probability,) = loaded.runtime.predict(batch).tolist()
    number = round(math.log(probability / (1 - probability)))
    assert loaded.card.offsets == {"flights.feedback:0": number}
    return number
