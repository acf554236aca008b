"""The models that the benchmark serves, fitted on random rows or on flights.

How well they predict is no matter here; their kind and size is what costs.
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

from modstream.demo.seed import landed, make_frozen, make_online
from modstream.models.importers.onnx_export import to_onnx
from modstream.models.runtimes.sklearn_introspection import classes_of, infer_schema, task_of
from modstream.models.schema.version_spec import Draft
from modstream.producers.replay.flights import FEATURES, load_flights

ROWS = 2000
FLIGHTS = 20_000
"""Flights that the flights' models learn, and whose rows are sent."""
PIXELS = 28 * 28


class Exhibit(NamedTuple):
    """A model as it is published."""

    draft: Draft
    artifact: bytes

    def named(self, name: str) -> "Exhibit":
        """The same model under another name."""
        return self._replace(draft=self.draft.model_copy(update={"name": name}))


def logistic() -> Exhibit:
    """A logistic regression of 8 features."""
    return exported("logistic", LogisticRegression(), 8, 2)


def forest() -> Exhibit:
    """A random forest of 50 trees, 8 levels deep, of 8 features."""
    trees = RandomForestClassifier(n_estimators=50, max_depth=8, random_state=0)
    return exported("forest", trees, 8, 2)


def mlp() -> Exhibit:
    """A perceptron with one hidden layer of 64, of 8 features."""
    return exported("mlp", perceptron(64), 8, 2)


def ffnn() -> Exhibit:
    """The feed-forward network of Crayfish: 28 x 28 pixels to 10 classes, 27,562 parameters.

    Source: Horchidan et al., "Crayfish: Navigating the Labyrinth of Machine Learning Inference in
    Stream Systems", EDBT 2024, which tells of 28 thousand parameters and not of the layers.
    """
    return exported("ffnn", perceptron(32, 32, 32), PIXELS, 10)


def flights() -> Exhibit:
    """The demo's frozen model: one-hot columns and boosted trees, in ONNX."""
    return Exhibit(*make_frozen(known_flights(), lambda _doing, _share: None))


def river() -> Exhibit:
    """The demo's learning model: a River pipeline."""
    return Exhibit(*make_online(known_flights(), lambda _doing, _share: None))


def perceptron(*layers: int) -> MLPClassifier:
    """A perceptron that ends its fitting after the first steps."""
    return MLPClassifier(layers, tol=1.0, n_iter_no_change=1, random_state=0)


def exported(name: str, model: BaseEstimator, width: int, classes: int) -> Exhibit:
    """Fit a classifier on random rows and export it to ONNX."""
    rng = np.random.default_rng(0)
    rows = rng.random((ROWS, width))
    scores = rows @ rng.standard_normal((width, classes))
    model.fit(rows, scores.argmax(axis=1))
    schema = infer_schema(model)
    golden = schema.batch([dict(zip(schema.names, row, strict=True)) for row in rows[:50].tolist()])
    draft = Draft(
        name=name,
        runtime="onnx",
        task=task_of(model),
        classes=classes_of(model),
        input_schema=schema,
    )
    return Exhibit(draft, to_onnx(model, schema, golden.batch))


@cache
def known_flights() -> pd.DataFrame:
    """Flights of which it is known whether they were late."""
    return landed(load_flights()).head(FLIGHTS)


def flight_rows() -> Sequence[dict[str, str | float]]:
    """The same flights as rows by name."""
    columns = [known_flights()[name].tolist() for name in FEATURES]
    return [dict(zip(FEATURES, values, strict=True)) for values in zip(*columns, strict=True)]
