"""Import of model files: .onnx, .skops, .river, and pickles that the caller trusts."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import joblib
from river.base import Base

from modstream.models.errors import (
    ArtifactTooLarge,
    PickleNotTrusted,
    UnknownModelFile,
    UnreadableArtifact,
)
from modstream.models.importers.boosting import import_boosting
from modstream.models.importers.boosting_libraries import (
    convert,
    library_of_file,
    library_of_object,
    read_file,
)
from modstream.models.importers.description import NO_DESCRIPTION, ModelDescription
from modstream.models.importers.imported_model import ImportedModel
from modstream.models.importers.mlflow import FileFormat, is_mlflow, read_mlflow
from modstream.models.importers.onnx.importer import import_onnx
from modstream.models.importers.river import import_river
from modstream.models.importers.sklearn import import_sklearn
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.river.artifact import UnpackedModel
from modstream.models.runtimes.river.artifact import unpack as unpack_river
from modstream.models.runtimes.sklearn_runtime import unpack as unpack_sklearn
from modstream.models.schema.artifact import MAX_ARTIFACT_BYTES

FORMATS: Mapping[str, FileFormat] = MappingProxyType(
    {
        ".onnx": "onnx",
        ".skops": "skops",
        ".river": "river",
        ".pkl": "pickle",
        ".pickle": "pickle",
        ".joblib": "pickle",
        **dict.fromkeys((".json", ".ubj", ".txt", ".model", ".cbm"), "boosting"),
    }
)
"""The format of a file by its suffix."""
_TORCH = (
    "export a PyTorch model with torch.onnx.export(model, example, 'model.onnx', input_names=['x'],"
    " dynamic_axes={'x': {0: 'n'}}), and publish that file"
)
_KERAS = (
    "export a Keras or TensorFlow model with model.export('model.onnx', format='onnx') or"
    " `python -m tf2onnx.convert`, and publish that file"
)
REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys((".pt", ".pth", ".pt2", ".safetensors"), _TORCH),
        **dict.fromkeys((".h5", ".hdf5", ".keras", ".pb", ".tflite"), _KERAS),
    }
)
"""What to do with the files of other libraries, by their suffix."""


def import_file(
    name: str,
    path: Path,
    *,
    trust_pickle: bool,
    note: str = "",
    description: ModelDescription = NO_DESCRIPTION,
) -> ImportedModel:
    """Import a model from an .onnx, .skops, .river, .joblib, .pickle or .pkl file.

    Or from a file of XGBoost (.json, .ubj, .model), LightGBM (.txt, .model) or CatBoost (.cbm,
    .json), or from the folder of an MLflow model, whose signature describes it unless the caller
    does.

    A .river file is an artifact written by `modstream.models.runtimes.river.artifact.pack`. A River
    model, from such a file or from a pickle, needs a `description` of its features. `note` is the
    note on the card; by default it is the model's class.

    Raises:
        PickleNotTrusted: the file is a pickle, which can run code, and `trust_pickle` is false.
        UnknownModelFile: the suffix, or the content behind it, is none of these.
        LibraryMissing: the library that has made the file is not installed.
        ArtifactError: the file cannot be read, or a worker could not load the model.
    """
    file, kind = path, FORMATS.get(path.suffix.lower())
    if is_mlflow(path):
        mlflow = read_mlflow(path, description)
        file, kind, description = mlflow.file, mlflow.format, mlflow.description
    if kind is None or file.is_dir():
        raise UnknownModelFile(path, REMEDIES.get(path.suffix.lower(), ""))
    if kind == "pickle" and not trust_pickle:
        raise PickleNotTrusted(file)
    if file.stat().st_size > MAX_ARTIFACT_BYTES:
        raise ArtifactTooLarge(file.stat().st_size, MAX_ARTIFACT_BYTES)
    return _import_content(name, file, kind, note, description)


def _import_content(
    name: str, file: Path, kind: FileFormat, note: str, description: ModelDescription
) -> ImportedModel:
    content = file.read_bytes()
    if kind == "onnx":
        return import_onnx(name, content, note, description)
    if kind == "river":
        return import_river(name, unpack_river(content), description, note)
    if kind == "boosting":
        library = library_of_file(content)
        if library is None:
            raise UnknownModelFile(file)
        return import_boosting(name, read_file(library, content), description, note)
    model = unpack_sklearn(content) if kind == "skops" else _unpickle(file, content)
    if (library := library_of_object(model)) is not None:
        return import_boosting(name, convert(library, model), description, note)
    if isinstance(model, Base):
        return import_river(name, UnpackedModel(model, None), description, note)
    return import_sklearn(name, model, note, description)


def _unpickle(path: Path, content: bytes) -> object:
    with translate_library_errors(_unreadable_pickle):
        is_joblib = path.suffix.lower() == ".joblib"
        return joblib.load(path) if is_joblib else pickle.loads(content)  # noqa: S301


def _unreadable_pickle(reason: str) -> UnreadableArtifact:
    remedy = "copy it again, or save the model again with the releases installed here"
    if reason.startswith(("ModuleNotFoundError", "ImportError", "AttributeError")):
        remedy = (
            "install what the model was made with, in the same releases; code of a user's own is"
            " not served, so leave it out of the model"
        )
    return UnreadableArtifact("pickle", f"{reason}; {remedy}")
