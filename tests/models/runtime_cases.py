"""One small model for each runtime and task, all trained on the same rows."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd
from river import anomaly, compose, linear_model, naive_bayes, preprocessing
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from modstream.models.importers.onnx_export import to_onnx
from modstream.models.runtimes.mean.artifact import MeanPart, mean_spec
from modstream.models.runtimes.mean.artifact import pack as pack_mean
from modstream.models.runtimes.river.runtime import pack as pack_river
from modstream.models.runtimes.runtime import Runtime, load
from modstream.models.runtimes.sklearn_introspection import infer_classes
from modstream.models.runtimes.sklearn_runtime import pack as pack_sklearn
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard, Task
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec

SCHEMA = InputSchema(
    features=(
        Feature(name="a", kind="float"),
        Feature(name="b", kind="int"),
        Feature(name="c", kind="bool"),
        Feature(name="s", kind="string"),
    )
)
CaseRow = dict[str, Scalar]


@dataclass(frozen=True)
class RuntimeCase:
    """An artifact and its card."""

    card: ModelCard
    artifact: bytes

    def load(self) -> Runtime:
        return load(Artifact(self.artifact), self.card)


def random_rows(n: int, seed: int = 0) -> list[CaseRow]:
    rng = random.Random(seed)
    return [
        {
            "a": rng.gauss(0, 1),
            "b": rng.randrange(10),
            "c": rng.random() < 0.5,
            "s": rng.choice("pqr"),
        }
        for _ in range(n)
    ]


def label_of(row: CaseRow, task: Task) -> Scalar:
    value = float(row["a"]) + float(row["b"]) / 5 - 1 + (row["s"] == "p")
    if task == "regression":
        return value
    if task in {"binary", "anomaly"}:
        return value > 0
    return "low" if value < -0.5 else "mid" if value < 0.5 else "high"


def river_case(model: Any, task: Task, classes: tuple[Scalar, ...] = ()) -> RuntimeCase:
    """Train a River model on 200 rows; an anomaly detector learns them without labels."""
    for row in random_rows(200):
        model.learn_one(row, None if task == "anomaly" else label_of(row, task))
    return _case("river", task, pack_river(model), classes)


def fit_pipeline(model: BaseEstimator, task: Task) -> BaseEstimator:
    """Fit a scikit-learn model on 200 rows with one-hot encoded strings."""
    encode = ("strings", OneHotEncoder(handle_unknown="ignore"), ["s"])
    columns = ColumnTransformer([encode], remainder="passthrough")
    table = random_rows(200)
    labels = [label_of(row, task) for row in table]
    return make_pipeline(columns, model).fit(pd.DataFrame(table), labels)


def onnx_case(model: BaseEstimator, task: Task) -> RuntimeCase:
    pipeline = fit_pipeline(model, task)
    artifact = to_onnx(pipeline, SCHEMA, SCHEMA.parse_rows(random_rows(50, seed=1)).batch)
    return _case("onnx", task, artifact, infer_classes(pipeline))


def sklearn_case(model: BaseEstimator, task: Task) -> RuntimeCase:
    pipeline = fit_pipeline(model, task)
    return _case("sklearn", task, pack_sklearn(pipeline), infer_classes(pipeline))


def _case(runtime: str, task: Task, artifact: bytes, classes: tuple[Scalar, ...]) -> RuntimeCase:
    spec = VersionSpec(
        name="case", runtime=runtime, task=task, classes=classes, input_schema=SCHEMA
    )
    return RuntimeCase(spec.make_card(1, Artifact(artifact)), artifact)


def mean_case(task: Task) -> RuntimeCase:
    """Return the mean of a model that learns online, weighed twice, and of one that does not."""
    parts = [
        MeanPart(one.card, one.artifact, weight)
        for one, weight in ((case(f"onnx-{task}"), 1.0), (case(f"river-{task}"), 2.0))
    ]
    artifact = pack_mean(parts)
    return RuntimeCase(mean_spec("case", parts).make_card(1, Artifact(artifact)), artifact)


def _with_encoder(model: Any) -> Any:
    strings = compose.SelectType(str) | preprocessing.OneHotEncoder()
    numbers = compose.SelectType((int, float)) | preprocessing.StandardScaler()
    return compose.TransformerUnion(strings, numbers) | model


def _detector() -> Any:
    numbers = compose.SelectType((int, float)) | preprocessing.MinMaxScaler()
    return numbers | anomaly.HalfSpaceTrees(n_trees=5, height=4, window_size=50, seed=1)


_BUILDERS: dict[str, Callable[[], RuntimeCase]] = {
    "onnx-binary": lambda: onnx_case(GradientBoostingClassifier(n_estimators=5), "binary"),
    "onnx-multiclass": lambda: onnx_case(LogisticRegression(), "multiclass"),
    "onnx-regression": lambda: onnx_case(LinearRegression(), "regression"),
    "sklearn-binary": lambda: sklearn_case(HistGradientBoostingClassifier(max_iter=5), "binary"),
    "sklearn-multiclass": lambda: sklearn_case(LogisticRegression(), "multiclass"),
    "sklearn-regression": lambda: sklearn_case(
        HistGradientBoostingRegressor(max_iter=5), "regression"
    ),
    "river-binary": lambda: river_case(
        _with_encoder(linear_model.LogisticRegression()), "binary", (False, True)
    ),
    "river-multiclass": lambda: river_case(
        _with_encoder(naive_bayes.GaussianNB()), "multiclass", ("high", "low", "mid")
    ),
    "river-regression": lambda: river_case(
        _with_encoder(linear_model.LinearRegression()), "regression"
    ),
    "river-anomaly": lambda: river_case(_detector(), "anomaly"),
    "mean-binary": lambda: mean_case("binary"),
    "mean-multiclass": lambda: mean_case("multiclass"),
    "mean-regression": lambda: mean_case("regression"),
}
CASES = tuple(_BUILDERS)


@cache
def case(name: str) -> RuntimeCase:
    """Return the case of the given name; each is built only once."""
    return _BUILDERS[name]()
