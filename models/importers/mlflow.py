"""Folders of MLflow models: the model's file, and the signature as a description of it.

See https://mlflow.org/docs/latest/ml/model. Only the flavors `onnx`, `sklearn`, `xgboost`,
`lightgbm` and `catboost` are read.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import yaml

from modstream.models.errors import NotConvertible, UnreadableArtifact
from modstream.models.importers.description import SAMPLE_ROW_LIMIT, ModelDescription
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.schema.columns import FeatureKind
from modstream.models.schema.input_schema import Feature

MODEL_FILE = "MLmodel"
MAX_FILE_BYTES = 4 * 1024 * 1024
"""Limit for the files that describe a model; that of the model itself is checked elsewhere."""
_KINDS: Mapping[str, FeatureKind] = MappingProxyType(
    {
        "boolean": "bool",
        "integer": "int",
        "long": "int",
        "float": "float",
        "double": "float",
        "string": "string",
    }
)
FileFormat = Literal["onnx", "pickle", "skops", "river", "mean", "boosting"]


@dataclass(frozen=True, slots=True)
class MlflowModel:
    """The file of an MLflow model, its format, and what the folder says about it."""

    file: Path
    format: FileFormat
    description: ModelDescription


def is_mlflow(path: Path) -> bool:
    """Return whether a folder holds an MLflow model."""
    return (path / MODEL_FILE).is_file()


def read_mlflow(folder: Path, description: ModelDescription) -> MlflowModel:
    """Read the folder of an MLflow model; the caller's description takes precedence.

    Raises:
        UnreadableArtifact: the folder is damaged.
        NotConvertible: the model has no flavor, or no signature, that can be served.
    """
    with translate_library_errors(partial(UnreadableArtifact, "mlflow")):
        document = yaml.safe_load(_read_text(folder, MODEL_FILE))
        flavors = document.get("flavors") or {}
        file, file_format = _find_file(folder, flavors)
        signature = document.get("signature") or {}
        features = description.features or tuple(_read_features(signature))
        samples = description.samples or _read_example(folder, document)
    if not file.is_file():
        raise UnreadableArtifact("mlflow", f"its file {file.name} is missing")
    return MlflowModel(file, file_format, replace(description, features=features, samples=samples))


def _find_file(folder: Path, flavors: Mapping[str, Any]) -> tuple[Path, FileFormat]:
    """Return the file of the first flavor that can be served: ONNX before all others."""
    if "onnx" in flavors:
        return _inside(folder, flavors["onnx"]["data"]), "onnx"
    if "sklearn" in flavors:
        flavor = flavors["sklearn"]
        is_skops = flavor.get("serialization_format") == "skops"
        return _inside(folder, flavor["pickled_model"]), "skops" if is_skops else "pickle"
    for library in ("xgboost", "lightgbm", "catboost"):
        if library in flavors:
            file = _inside(folder, flavors[library]["data"])
            return file, "pickle" if file.suffix == ".pkl" else "boosting"
    found = ", ".join(sorted(set(flavors) - {"python_function"})) or "none"
    reason = (
        f"its flavors are {found}, and only onnx, sklearn, xgboost, lightgbm and catboost can be"
        " served: log it with mlflow.onnx or mlflow.sklearn"
    )
    raise NotConvertible("the MLflow model", reason)


def _read_features(signature: Mapping[str, Any]) -> Iterator[Feature]:
    """Yield the features of a signature with named columns; a tensor's columns have no names."""
    columns = json.loads(signature.get("inputs") or "[]")
    for column in columns if all("name" in one for one in columns) else ():
        if column["type"] == "tensor":
            return
        kind = _KINDS.get(column["type"])
        if kind is None:
            reason = (
                f"the column {column['name']!r} of its signature has the type {column['type']},"
                f" which no feature has; the types are {', '.join(_KINDS)}"
            )
            raise NotConvertible("the MLflow model", reason)
        is_missing = column.get("required", True) is False and kind in {"float", "string"}
        yield Feature(name=column["name"], kind=kind, missing=is_missing)


def _read_example(
    folder: Path, document: Mapping[str, Any]
) -> Sequence[Mapping[str, object]] | None:
    """Return the rows of the model's input example, if it is a table."""
    info = document.get("saved_input_example_info") or {}
    path = info.get("artifact_path")
    if info.get("type") != "dataframe" or not path or not _inside(folder, path).is_file():
        return None
    example = json.loads(_read_text(folder, path))
    if not isinstance(example, dict) or not {"columns", "data"} <= example.keys():
        return None
    rows = example["data"][:SAMPLE_ROW_LIMIT]
    return [dict(zip(example["columns"], row, strict=True)) for row in rows] or None


def _read_text(folder: Path, name: str) -> str:
    path = _inside(folder, name)
    if path.stat().st_size > MAX_FILE_BYTES:
        raise UnreadableArtifact("mlflow", f"{name} has more than {MAX_FILE_BYTES:,} bytes")
    return path.read_text(encoding="utf-8")


def _inside(folder: Path, name: str) -> Path:
    """Return a path below the folder; a name must not lead out of it."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise UnreadableArtifact("mlflow", f"its file {name} is outside its folder")
    return path
