"""Import of the content of model files: the libraries of all formats but ONNX."""

import pickle
from pathlib import Path

import joblib
from river.base import Base

from modstream.models.errors import UnknownModelFile, UnreadableArtifact
from modstream.models.importers.boosting import import_boosting
from modstream.models.importers.boosting_libraries import (
    convert,
    library_of_file,
    library_of_object,
    read_file,
)
from modstream.models.importers.description import ModelDescription
from modstream.models.importers.imported_model import ImportedModel
from modstream.models.importers.mean import import_mean
from modstream.models.importers.mlflow import FileFormat
from modstream.models.importers.river import import_river
from modstream.models.importers.sklearn import import_sklearn
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.mean.artifact import unpack as unpack_mean
from modstream.models.runtimes.river.artifact import UnpackedModel
from modstream.models.runtimes.river.artifact import unpack as unpack_river
from modstream.models.runtimes.sklearn_runtime import unpack as unpack_sklearn


def import_content(
    name: str, file: Path, kind: FileFormat, note: str, description: ModelDescription
) -> ImportedModel:
    """Import a model from a file of any format but ONNX, as `import_file` does."""
    content = file.read_bytes()
    if kind == "mean":
        return import_mean(name, unpack_mean(content), description, note)
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
