"""The models that the benchmark serves, fitted on random rows or on flights.

Their accuracy does not matter here; only their kind and size determine the cost.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from modstream.demo.seed import build_frozen, build_online, select_training_flights
from modstream.models.importers.onnx_export import to_onnx
from modstream.models.runtimes.sklearn_introspection import infer_classes, infer_schema, infer_task
from modstream.models.schema.version_spec import VersionSpec
from modstream.producers.replay.flights import FEATURES, load_flights

TRAINING_ROWS = 2000
FLIGHT_COUNT = 20_000
"""Number of flights that the flight models are fitted on, and whose rows are sent."""
PIXELS = 28 * 28


class BenchmarkModel(NamedTuple):
    """A model that is published for the benchmark."""

    spec: VersionSpec
    artifact: bytes

    def renamed(self, name: str) -> "BenchmarkModel":
        """Return the same model with another name."""
        return self._replace(spec=self.spec.model_copy(update={"name": name}))


def logistic() -> BenchmarkModel:
    """Return a logistic regression with 8 features."""
    return fit_and_export("logistic", LogisticRegression(), 8, 2)


def forest() -> BenchmarkModel:
    """Return a random forest with 8 features and 50 trees, 8 levels deep."""
    trees = RandomForestClassifier(n_estimators=50, max_depth=8, random_state=0)
    return fit_and_export("forest", trees, 8, 2)


def mlp() -> BenchmarkModel:
    """Return a perceptron with 8 features and one hidden layer of 64 units."""
    return fit_and_export("mlp", perceptron(64), 8, 2)


def ffnn() -> BenchmarkModel:
    """Return the feed-forward network of Crayfish: 784 pixels, 10 classes, 27,562 parameters.

    Source: Horchidan et al., "Crayfish: Navigating the Labyrinth of Machine Learning Inference in
    Stream Systems", EDBT 2024. The paper gives 28 thousand parameters, but not the layers.
    """
    return fit_and_export("ffnn", perceptron(32, 32, 32), PIXELS, 10)


def flights() -> BenchmarkModel:
    """Return the demo's frozen model: one-hot encoding and boosted trees, in ONNX."""
    return BenchmarkModel(*build_frozen(labelled_flights(), lambda _doing, _share: None))


def river() -> BenchmarkModel:
    """Return the demo's online model: a River pipeline."""
    return BenchmarkModel(*build_online(labelled_flights(), lambda _doing, _share: None))


def perceptron(*layers: int) -> MLPClassifier:
    """Return a perceptron that stops fitting after the first steps."""
    return MLPClassifier(layers, tol=1.0, n_iter_no_change=1, random_state=0)


def fit_and_export(name: str, model: BaseEstimator, width: int, classes: int) -> BenchmarkModel:
    """Fit a classifier on random rows and export it to ONNX."""
    rng = np.random.default_rng(0)
    rows = rng.random((TRAINING_ROWS, width))
    scores = rows @ rng.standard_normal((width, classes))
    model.fit(rows, scores.argmax(axis=1))
    schema = infer_schema(model)
    golden = schema.parse_rows(
        [dict(zip(schema.names, row, strict=True)) for row in rows[:50].tolist()]
    )
    spec = VersionSpec(
        name=name,
        runtime="onnx",
        task=infer_task(model),
        classes=infer_classes(model),
        input_schema=schema,
    )
    return BenchmarkModel(spec, to_onnx(model, schema, golden.batch))


@cache
def labelled_flights() -> pd.DataFrame:
    """Return the first FLIGHT_COUNT flights that have a label."""
    return select_training_flights(load_flights()).head(FLIGHT_COUNT)


def flight_rows() -> Sequence[dict[str, str | float]]:
    """Return the labelled flights as rows by name."""
    columns = [labelled_flights()[name].tolist() for name in FEATURES]
    return [dict(zip(FEATURES, values, strict=True)) for values in zip(*columns, strict=True)]
