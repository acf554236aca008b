"""The models that the clients ask, each with what its own library answers."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import onnxruntime as ort
import pandas as pd
from onnx import ModelProto, TensorProto, helper
from river import linear_model
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from modstream.models.importers.description import ModelDescription
from modstream.models.importers.imported_model import ImportedModel
from modstream.models.importers.onnx.importer import import_onnx
from modstream.models.importers.river import import_river
from modstream.models.importers.sklearn import import_sklearn
from modstream.models.runtimes.river.artifact import UnpackedModel
from modstream.models.schema.input_schema import Feature
from tests.journeys.task_cases import holt_winters
from tests.zoo.onnx_graphs import tensors as tensor_graphs


class Output(NamedTuple):
    """An output as the library itself computes it."""

    datatype: str
    values: np.ndarray


Columns = Mapping[str, np.ndarray]
"""The inputs of a call by name: columns of shape [n], or the tensors of a model."""
Answer = Callable[[Columns], Mapping[str, Output]]


@dataclass(frozen=True)
class AskedModel:
    """A model to publish, and a function that returns its library's outputs for some inputs.

    `tolerance` is the largest relative difference: an export to ONNX computes in 32 bits.
    """

    imported: ImportedModel
    answer: Answer
    tolerance: float = 1e-5


NAMES = ("setosa", "versicolor", "virginica")


def flowers() -> tuple[np.ndarray, np.ndarray]:
    """Return the measures of the irises in the order in which the models are fitted, and kinds."""
    values, kinds = load_iris(return_X_y=True)
    return values, kinds


def fitted(name: str) -> AskedModel:
    """Return one of the models of the irises' measures."""
    values, kinds = flowers()
    two = kinds != 2
    holes = values.copy()
    holes[::5, 0] = np.nan
    targets = np.column_stack([values[:, 0] * 2, -values[:, 1]])
    several = LogisticRegression(C=0.1, max_iter=2000)
    model, outputs = {
        "two-kinds": lambda: (
            LogisticRegression().fit(values[two], kinds[two] == 1), _probability),
        "flowers": lambda: (several.fit(values, np.array(NAMES)[kinds]), _classes),
        "flowers-by-number": lambda: (several.fit(values, kinds + 3), _classes),
        "width": lambda: (LinearRegression().fit(values[:, :3], values[:, 3]), _value),
        "two-values": lambda: (LinearRegression().fit(values, targets), _values),
        "clusters": lambda: (KMeans(3, n_init=1, random_state=0).fit(values), _clusters),
        "margins": lambda: (SVC().fit(values, kinds), _margins),
        "margin": lambda: (SVC().fit(values[two], kinds[two]), _margins),
        "holes": lambda: (
            HistGradientBoostingClassifier(random_state=0, max_iter=20).fit(holes, kinds),
            _classes),
    }[name]()  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        imported = import_sklearn(name, model)
    return AskedModel(imported, lambda columns: outputs(model, _matrix(columns)))


def _matrix(columns: Columns) -> np.ndarray:
    return np.column_stack([np.asarray(one, np.float64) for one in columns.values()])


def _probability(model: BaseEstimator, inputs: Any) -> Mapping[str, Output]:
    return {"probability": Output("FP64", model.predict_proba(inputs)[:, 1])}


def _classes(model: BaseEstimator, inputs: Any) -> Mapping[str, Output]:
    return {
        "probabilities": Output("FP64", model.predict_proba(inputs)),
        "label": _labels(model.predict(inputs)),
    }


def _labels(found: np.ndarray) -> Output:
    return Output("BYTES" if found.dtype.kind in "OUS" else "INT64", found)


def _value(model: BaseEstimator, inputs: Any) -> Mapping[str, Output]:
    return {"value": Output("FP64", model.predict(inputs))}


def _values(model: BaseEstimator, inputs: Any) -> Mapping[str, Output]:
    return {"values": Output("FP64", model.predict(inputs))}


def _clusters(model: KMeans, inputs: Any) -> Mapping[str, Output]:
    return {
        "label": _labels(model.predict(inputs)),
        "distances": Output("FP64", model.transform(inputs)),
    }


def _margins(model: SVC, inputs: Any) -> Mapping[str, Output]:
    found = model.decision_function(inputs)
    name = "margin" if found.ndim == 1 else "margins"
    return {"label": _labels(model.predict(inputs)), name: Output("FP64", found)}


def people() -> AskedModel:
    """Return a model of a float, an integer, a boolean and a text, by name."""
    rng = np.random.default_rng(3)
    table = pd.DataFrame(
        {
            "size": rng.normal(size=400),
            "visits": rng.integers(0, 9, 400),
            "member": rng.random(400) > 0.5,
            "colour": rng.choice(["red", "blue", "grün"], 400),
        }
    )
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["size", "visits"]),
            ("flag", "passthrough", ["member"]),
            ("text", OneHotEncoder(), ["colour"]),
        ]
    )
    wanted = (table["size"] + table.visits / 9 > 0.5) ^ (table.colour == "red") & table.member
    model = make_pipeline(columns, LogisticRegression()).fit(table, wanted)
    description = ModelDescription(
        features=(
            Feature(name="size", kind="float"),
            Feature(name="visits", kind="int"),
            Feature(name="member", kind="bool"),
            Feature(name="colour", kind="string"),
        ),
        samples=table.head(20).to_dict("records"),
    )

    def answer(given: Columns) -> Mapping[str, Output]:
        return _probability(model, pd.DataFrame({name: given[name] for name in table.columns}))

    return AskedModel(import_sklearn("people", model, description=description), answer)


def learned() -> AskedModel:
    """Return a model of River that has learned some rows."""
    model = linear_model.LogisticRegression()
    for row, kind in zip(*flowers(), strict=True):
        model.learn_one({"length": row[2], "width": row[3]}, bool(kind == 2))
    features = tuple(Feature(name=name, kind="float") for name in ("length", "width"))
    imported = import_river(
        "learned", UnpackedModel(model, None),
        ModelDescription(features=features, classes=(False, True)),
    )  # fmt: skip

    def answer(columns: Columns) -> Mapping[str, Output]:
        rows = [
            dict(zip(columns, map(float, row), strict=True))
            for row in zip(*columns.values(), strict=True)
        ]
        found = [model.predict_proba_one(row)[True] for row in rows]
        return {"probability": Output("FP64", np.array(found))}

    return AskedModel(imported, answer, 1e-12)


def passengers() -> AskedModel:
    """Return a model of River that forecasts from its 24th month on."""
    unpacked = holt_winters()
    features = (
        Feature(name="period", kind="int"),
        Feature(name="horizon", kind="int", low=1, high=6),
    )
    imported = import_river("passengers", unpacked, ModelDescription(features=features))

    def answer(columns: Columns) -> Mapping[str, Output]:
        periods, horizon = columns["period"], int(columns["horizon"][0])
        values = unpacked.model.forecast(int(max(periods)) - 24 + horizon)
        found = [values[int(one) - 24 :][:horizon] for one in periods]
        return {
            "forecast": Output("FP64", np.array(found)),
            "period": Output("INT64", np.asarray(periods)),
        }

    return AskedModel(imported, answer, 1e-12)


ONNX_TYPES: Mapping[str, tuple[int, Any]] = {
    "BOOL": (TensorProto.BOOL, np.bool_),
    "INT8": (TensorProto.INT8, np.int8),
    "INT16": (TensorProto.INT16, np.int16),
    "INT32": (TensorProto.INT32, np.int32),
    "INT64": (TensorProto.INT64, np.int64),
    "UINT8": (TensorProto.UINT8, np.uint8),
    "UINT16": (TensorProto.UINT16, np.uint16),
    "UINT32": (TensorProto.UINT32, np.uint32),
    "UINT64": (TensorProto.UINT64, np.uint64),
    "FP16": (TensorProto.FLOAT16, np.float16),
    "FP32": (TensorProto.FLOAT, np.float32),
    "FP64": (TensorProto.DOUBLE, np.float64),
    "BYTES": (TensorProto.STRING, np.object_),
}
"""The element type of ONNX, and the type of numpy, for each datatype of the protocol."""
DATATYPES = {np.dtype(kind): name for name, (_, kind) in ONNX_TYPES.items()}


def tensor_model(name: str) -> AskedModel:
    """Return one of the models that take tensors."""
    if name.startswith("same-"):
        element, _ = ONNX_TYPES[name.removeprefix("same-").upper()]
        return _onnx(name, _identity(element))
    found = {case.name.replace(" ", "-"): case.model for case in tensor_graphs()}
    return _onnx(name, found[name])


def _identity(element: int) -> ModelProto:
    """Return a graph that returns a tensor of rank 3 as it is."""
    shape = ["n", "k", 2]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["X"], ["Y"])],
        "same",
        [helper.make_tensor_value_info("X", element, shape)],
        [helper.make_tensor_value_info("Y", element, shape)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _onnx(name: str, model: ModelProto) -> AskedModel:
    content = model.SerializeToString()

    def answer(given: Columns) -> Mapping[str, Output]:
        options = ort.SessionOptions()
        options.log_severity_level = 4
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        names = [one.name for one in session.get_outputs()]
        arrays = map(np.asarray, session.run(names, dict(given)))
        return {
            one: Output(DATATYPES[array.dtype], array)
            for one, array in zip(names, arrays, strict=True)
        }

    return AskedModel(import_onnx(name, content), answer, 1e-6)


FITTED = (
    "two-kinds", "flowers", "flowers-by-number", "width", "two-values", "clusters", "margins",
    "margin", "holes",
)  # fmt: skip
TENSORS = (
    *(f"same-{datatype.lower()}" for datatype in ONNX_TYPES), "images", "two-matrices",
    "tokens-and-mask", "scalars", "output-without-elements",
)  # fmt: skip
SPECIAL: Mapping[str, Callable[[], AskedModel]] = {
    "people": people, "learned": learned, "passengers": passengers,
}  # fmt: skip
ALL_MODELS = (*FITTED, *SPECIAL, *TENSORS)


@cache
def asked_model(name: str) -> AskedModel:
    """Return a model by its name."""
    if name in SPECIAL:
        return SPECIAL[name]()
    return fitted(name) if name in FITTED else tensor_model(name)
