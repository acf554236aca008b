"""Model files as other people make them, each with a request and the library's own answer.

Each model once failed in some system of model serving: by an answer that was wrong without a word,
or by a version that was published and never served.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

EPOCH = 1.7e9
INPUT = helper.make_tensor_value_info


@dataclass(frozen=True, slots=True)
class ForeignModel:
    """A model file, a request, and what has to come of it.

    `write` writes the file. `outputs` are the outputs by name that the library itself predicts for
    `features`; without them, the answer is an error with the code `error`. `options` are further
    arguments of `modstream models publish`.
    """

    suffix: str
    write: Callable[[Path], None]
    features: Mapping[str, Any]
    outputs: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    options: tuple[str, ...] = ()


def _joblib(
    model: BaseEstimator, features: Mapping[str, Any], outputs: Mapping[str, Any]
) -> ForeignModel:
    return ForeignModel(
        ".joblib", lambda path: joblib.dump(model, path), features, outputs, options=("--trust",)
    )


def _onnx(model: onnx.ModelProto, features: Mapping[str, Any], **expected: Any) -> ForeignModel:
    return ForeignModel(
        ".onnx", lambda path: path.write_bytes(model.SerializeToString()) and None,
        features, **expected,
    )  # fmt: skip


def _graph(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    weights: list[onnx.TensorProto] | None = None,
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights or [])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _exported(model: BaseEstimator, width: int) -> onnx.ModelProto:
    options = {id(model): {"zipmap": False}} if hasattr(model, "classes_") else None
    types = [("X", FloatTensorType([None, width]))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of attributes that skl2onnx reads
        return convert_sklearn(model, initial_types=types, options=options)


def _probability(model: BaseEstimator, row: Mapping[str, Any]) -> dict[str, float]:
    return {"probability": float(model.predict_proba(pd.DataFrame([row]))[0, 1])}


def _margins(model: SVC, row: Mapping[str, float]) -> dict[str, Any]:
    values = [list(row.values())]
    label, margins = model.predict(values)[0].item(), model.decision_function(values)[0]
    if np.ndim(margins) == 0:
        return {"label": label, "margin": float(margins)}
    names = map(str, model.classes_.tolist())
    return {"label": label, "margins": dict(zip(names, margins.tolist(), strict=True))}


def _columns(strings: BaseEstimator) -> ColumnTransformer:
    return ColumnTransformer([("n", StandardScaler(), ["size"]), ("c", strings, ["colour"])])


@cache
def foreign_models() -> dict[str, ForeignModel]:
    """Return all models by name; fitting them takes a second."""
    rng = np.random.default_rng(11)
    numbers = rng.normal(size=(300, 2))
    positive = numbers.sum(axis=1) > 0
    iris, kinds = load_iris(return_X_y=True)
    flower = {"x0": 5.1, "x1": 3.5, "x2": 1.4, "x3": 0.2}
    return (
        _linear(numbers, positive)
        | _trees_and_tables(rng, numbers, positive)
        | _graphs(rng, numbers)
        | _classes(iris, kinds, flower)
    )


def _linear(numbers: Any, positive: Any) -> dict[str, ForeignModel]:
    plain = LogisticRegression().fit(numbers, positive)
    frame = pd.DataFrame(numbers, columns=['size (")', "back\\slash\n"])
    quoted = LogisticRegression().fit(frame, positive)
    row = {'size (")': 0.3, "back\\slash\n": -0.1}
    expected = {"probability": float(plain.predict_proba([[0.3, -0.1]])[0, 1])}
    return {
        "plain": _joblib(plain, {"x0": 0.3, "x1": -0.1}, expected),
        "quoted.names": _joblib(quoted, row, _probability(quoted, row)),
    }


def _trees_and_tables(rng: Any, numbers: Any, positive: Any) -> dict[str, ForeignModel]:
    times = pd.DataFrame({"ts": EPOCH + rng.uniform(-3600, 3600, 500), "v": rng.normal(size=500)})
    late = (times.ts - EPOCH) / 600 + times.v > 0
    scaled = make_pipeline(StandardScaler(), LogisticRegression(C=100)).fit(times, late)
    moment = {"ts": EPOCH - 61.0, "v": 0.1}
    table = pd.DataFrame({"size": rng.normal(size=400), "colour": rng.choice(["red", "blue"], 400)})
    wanted = (table["size"] > 0) ^ (table.colour == "red")
    strict = make_pipeline(_columns(OneHotEncoder()), LogisticRegression()).fit(table, wanted)
    imputed = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    filled = make_pipeline(_columns(imputed), LogisticRegression()).fit(table, wanted)
    red = {"size": 0.5, "colour": "red"}
    holes = numbers.copy()
    holes[::5, 0] = np.nan
    missing = HistGradientBoostingClassifier(random_state=0).fit(holes, positive)
    unknown = float(missing.predict_proba([[np.nan, 1.0]])[0, 1])
    return {
        "epoch-seconds": _joblib(scaled, moment, _probability(scaled, moment)),
        "one-hot": _joblib(strict, red, _probability(strict, red)),
        "imputed-strings": _joblib(filled, red, _probability(filled, red)),
        "missing": _joblib(missing, {"x0": None, "x1": 1.0}, {"probability": unknown}),
        "missing-nan": _joblib(missing, {"x0": float("nan"), "x1": 1.0}, {"probability": unknown}),
    }


def _graphs(rng: Any, numbers: Any) -> dict[str, ForeignModel]:
    floats, ints = TensorProto.FLOAT, TensorProto.INT32
    values = LinearRegression().fit(numbers, np.column_stack([numbers[:, 0] * 2, -numbers[:, 1]]))
    row = {"x0": 1.0, "x1": 0.5}
    both = values.predict([[1.0, 0.5]])[0].tolist()
    cast = _graph(
        [helper.make_node("Cast", ["i"], ["Y"], to=floats)],
        [INPUT("i", ints, ["n", 1])],
        [INPUT("Y", floats, ["n", 1])],
    )
    one_by_one = _graph(
        [helper.make_node("ReduceSum", ["X"], ["Y"], keepdims=1)],
        [INPUT("X", floats, [1, 2])],
        [INPUT("Y", floats, [1, 1])],
    )
    weights = numpy_helper.from_array(rng.normal(size=(2, 100)).astype(np.float32), "W")
    wide = _graph(
        [
            helper.make_node("MatMul", ["X", "W"], ["Z"]),
            helper.make_node("Softmax", ["Z"], ["Y"], axis=1),
        ],
        [INPUT("X", floats, ["n", 2])],
        [INPUT("Y", floats, ["n", 100])],
        [weights],
    )
    regression = ("--task", "regression")
    return {
        "two-values": _onnx(
            _exported(values, 2), row, outputs={"values": {"y0": both[0], "y1": both[1]}}
        ),
        "int32": _onnx(cast, {"i": 4294967297}, error="out_of_range", options=regression),
        "fraction": _onnx(cast, {"i": 2.7}, error="wrong_type", options=regression),
        "int32-good": _onnx(cast, {"i": 3.0}, outputs={"value": 3.0}, options=regression),
        "one-by-one": _onnx(one_by_one, row, outputs={"value": 1.5}, options=regression),
        "hundred": _onnx(wide, row),
    }


def _classes(iris: Any, kinds: Any, flower: Mapping[str, float]) -> dict[str, ForeignModel]:
    values = [list(flower.values())]
    two = kinds != 2
    margins = SVC(random_state=5).fit(iris[two], kinds[two])
    from_three = LogisticRegression(max_iter=1000).fit(iris, kinds + 3)
    probabilities = dict(zip("345", from_three.predict_proba(values)[0].tolist(), strict=True))
    several = SVC().fit(iris, kinds)
    named = {"label": 3, "probabilities": probabilities}
    return {
        "margins": _onnx(_exported(margins, 4), flower, outputs=_margins(margins, flower)),
        "from-three": _onnx(_exported(from_three, 4), flower, outputs=named),
        "svc": _joblib(several, flower, _margins(several, flower)),
    }
