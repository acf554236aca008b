"""Models of XGBoost, LightGBM and CatBoost: read from files or objects, and converted to ONNX."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from modstream.models.errors import LibraryMissing, NotConvertible, UnreadableArtifact
from modstream.models.importers.boosting_trees import round_thresholds_down
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.schema.columns import Scalar

BoostingLibrary = Literal["xgboost", "lightgbm", "catboost"]
Matrix = NDArray[np.float64]

_NAMES: Mapping[BoostingLibrary, str] = MappingProxyType(
    {"xgboost": "XGBoost", "lightgbm": "LightGBM", "catboost": "CatBoost"}
)
_SIGNS: tuple[tuple[bytes, BoostingLibrary], ...] = (
    (b"CBM1", "catboost"),
    (b"tree\n", "lightgbm"),
    (b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner", "xgboost"),
)
"""How the content of a model's file begins, in the libraries' own formats."""
_KEYS: Mapping[str, BoostingLibrary] = MappingProxyType(
    {"learner": "xgboost", "oblivious_trees": "catboost", "tree_info": "lightgbm"}
)
"""A key that a model's file in JSON has."""
_PLACES = re.compile(r"^\w+Error: (\[[\d:]+\] )?(\S+\.(cc|cpp|h):\d+: )?")
"""The time and the place in a library's sources with which its messages begin."""
_CATEGORIES = (
    "it splits by categories, which its ONNX export does not have: encode them as numbers before"
    " the training, for example with an OrdinalEncoder, and send the numbers"
)


@dataclass(frozen=True, slots=True)
class BoostingModel:
    """A model, its graph, and how its own library predicts.

    `predict` takes a matrix (n, k) of k features, and returns what the library predicts: values or
    probabilities of the second class (n,), or probabilities of all classes (n, c). `names` and
    `classes` are empty if the model does not record them.
    """

    library: BoostingLibrary
    graph: onnx.ModelProto
    predict: Callable[[Matrix], Matrix]
    width: int
    names: Sequence[str] = ()
    classes: tuple[Scalar, ...] = ()

    @property
    def kind(self) -> str:
        """How a message calls the model."""
        return f"the {_NAMES[self.library]} model"


def library_of_file(content: bytes) -> BoostingLibrary | None:
    """Return the library that has written a file; None if it is none of the three."""
    known = next((library for sign, library in _SIGNS if content.startswith(sign)), None)
    if known is not None or content.lstrip()[:1] != b"{":
        return known
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return next((library for key, library in _KEYS.items() if key in document), None)


def library_of_object(model: object) -> BoostingLibrary | None:
    """Return the library of an unpickled model; None if it is none of the three."""
    package = type(model).__module__.partition(".")[0]
    return next((library for library in _NAMES if library == package), None)


def read_file(library: BoostingLibrary, content: bytes) -> BoostingModel:
    """Read and convert a model from the content of its file.

    Raises:
        LibraryMissing: the library, or its converter, is not installed.
        UnreadableArtifact: the library cannot read the file.
        NotConvertible: the model has no ONNX export.
    """
    package = import_library(library)
    with translate_library_errors(partial(_unreadable, library)):
        if library == "xgboost":
            model = package.Booster()
            model.load_model(bytearray(content))
        elif library == "lightgbm":
            if content.lstrip()[:1] == b"{":
                reason = "a dump in JSON cannot be loaded: save the model with save_model('m.txt')"
                raise UnreadableArtifact("lightgbm", reason)
            if b"\nend of trees" not in content:
                # LightGBM itself would end the process.
                raise UnreadableArtifact("lightgbm", f"it is a part of a file; {_again(library)}")
            model = package.Booster(model_str=content.decode())
        else:
            model = _read_catboost(package, content)
    return convert(library, model)


def convert(library: BoostingLibrary, model: Any) -> BoostingModel:  # noqa: ANN401 - of three libraries
    """Convert a model: a booster or a wrapper in scikit-learn's style.

    Raises:
        LibraryMissing: the library, or its converter, is not installed.
        NotConvertible: the model has no ONNX export.
    """
    package = import_library(library)
    converter = {"xgboost": _xgboost, "lightgbm": _lightgbm, "catboost": _catboost}[library]
    with translate_library_errors(partial(NotConvertible, f"the {_NAMES[library]} model")):
        return converter(package, model)


def import_library(name: BoostingLibrary, module: str = "") -> Any:  # noqa: ANN401 - a module
    """Return a library, or a module that its extra installs with it.

    Raises:
        LibraryMissing: it is not installed.
    """
    try:
        return import_module(module or name)
    except ImportError as error:
        raise LibraryMissing(f"a model of {_NAMES[name]}", name) from error


def _unreadable(library: BoostingLibrary, reason: str) -> UnreadableArtifact:
    first = _PLACES.sub("", reason.partition("\n")[0])
    return UnreadableArtifact(library, f"{first}; {_again(library)}")


def _again(library: BoostingLibrary) -> str:
    return f"copy it again, or save it again with save_model of {_NAMES[library]}"


def _read_catboost(package: Any, content: bytes) -> Any:  # noqa: ANN401
    model = package.CatBoost()
    if content.lstrip()[:1] != b"{":
        model.load_model(blob=content)
        return model
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        path.write_bytes(content)
        model.load_model(str(path), format="json")
    return model


def _xgboost(package: Any, model: Any) -> BoostingModel:  # noqa: ANN401
    booster, classes = _unwrapped(model, "get_booster")
    names = tuple(booster.feature_names or ())
    if "c" in (booster.feature_types or ()):
        raise NotConvertible("the XGBoost model", _CATEGORIES)
    learner = json.loads(booster.save_config())["learner"]
    kind = learner["gradient_booster"]["name"]
    if kind != "gbtree":
        reason = f"its booster {kind} has no ONNX export: train it with booster='gbtree'"
        raise NotConvertible("the XGBoost model", reason)
    attributes = booster.attributes()
    if "scikit_learn" in attributes or booster is not model:
        # The wrapper predicts with the trees up to the best iteration of an early stopping.
        best = attributes.get("best_iteration")
        booster = booster if best is None else booster[: int(best) + 1]
    booster = booster.copy()
    booster.feature_names = booster.feature_types = None  # The converter knows f0, f1, ... only.
    is_softmax = learner["objective"]["name"] == "multi:softmax"

    def predict(matrix: Matrix) -> Matrix:
        data = package.DMatrix(matrix.astype(np.float32))
        found = np.asarray(booster.predict(data, output_margin=is_softmax), np.float64)
        if not is_softmax:
            return found
        shares = np.exp(found - found.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    width = int(booster.num_features())
    graph = _with_onnxmltools("xgboost", booster, width)
    return BoostingModel("xgboost", graph, predict, width, names, classes)


def _lightgbm(_package: Any, model: Any) -> BoostingModel:  # noqa: ANN401
    booster, classes = _unwrapped(model, "booster_")
    table = booster.trees_to_dataframe()
    if "==" in set(table["decision_type"].dropna()):
        raise NotConvertible("the LightGBM model", _CATEGORIES)
    own = list(booster.feature_name())
    width = len(own)
    graph = _with_onnxmltools("lightgbm", booster, width)
    splits = table.dropna(subset=["split_feature"])
    positions = [own.index(name) for name in splits["split_feature"]]
    round_thresholds_down(graph, list(zip(positions, splits["threshold"].tolist(), strict=True)))
    is_named = own != [f"Column_{at}" for at in range(width)]

    def predict(matrix: Matrix) -> Matrix:
        return np.asarray(booster.predict(matrix), np.float64)

    return BoostingModel("lightgbm", graph, predict, width, own if is_named else (), classes)


def _catboost(_package: Any, model: Any) -> BoostingModel:  # noqa: ANN401
    if model.get_cat_feature_indices() or model.get_text_feature_indices():
        raise NotConvertible("the CatBoost model", _CATEGORIES)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        model.save_model(str(path), format="onnx")
        graph = onnx.load(str(path))
    names = [str(name) for name in model.feature_names_]
    is_named = names != [str(at) for at in range(len(names))]
    classes = np.asarray(model.classes_).tolist()
    # A file does not say that its regressor predicts the exponent.
    is_exponent = model.get_all_params().get("loss_function", "").startswith(("Poisson", "Tweedie"))
    kind = "Exponent" if is_exponent else "RawFormulaVal"

    def predict(matrix: Matrix) -> Matrix:
        if not classes:
            return np.asarray(model.predict(matrix, prediction_type=kind), np.float64)
        shares = np.asarray(model.predict(matrix, prediction_type="Probability"), np.float64)
        return shares[:, 1] if shares.shape[1] == 2 else shares

    return BoostingModel("catboost", graph, predict, len(names), names if is_named else ())


def _unwrapped(model: Any, attribute: str) -> tuple[Any, tuple[Scalar, ...]]:  # noqa: ANN401
    """Return the booster of a model, and the labels of a wrapper's classes."""
    if not hasattr(model, attribute):
        return model, ()
    booster = getattr(model, attribute)
    classes = getattr(model, "classes_", None)
    labels = () if classes is None else tuple(np.asarray(classes).tolist())
    return booster() if callable(booster) else booster, labels


def _with_onnxmltools(library: BoostingLibrary, booster: Any, width: int) -> onnx.ModelProto:  # noqa: ANN401
    tools = import_library(library, "onnxmltools")
    types = import_library(library, "onnxmltools.convert.common.data_types")
    initial = [("input", types.FloatTensorType([None, width]))]
    graph: onnx.ModelProto = getattr(tools, f"convert_{library}")(booster, initial_types=initial)
    return graph
