"""Import of model files: .onnx, .skops, .river, and pickles that the caller trusts."""

import pickle
from pathlib import Path

import joblib
from river.base import Estimator

from modstream.models.errors import PickleNotTrusted, UnknownModelFile, UnreadableArtifact
from modstream.models.importers.imported_model import ImportedModel
from modstream.models.importers.onnx import import_onnx
from modstream.models.importers.river import RiverDescription, import_river
from modstream.models.importers.sklearn import import_sklearn
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.river.artifact import UnpackedModel
from modstream.models.runtimes.river.artifact import unpack as unpack_river
from modstream.models.runtimes.sklearn_runtime import unpack as unpack_sklearn

PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".joblib"})


def import_file(
    name: str,
    path: Path,
    *,
    trust_pickle: bool,
    note: str = "",
    description: RiverDescription | None = None,
) -> ImportedModel:
    """Import a model from an .onnx, .skops, .river, .joblib, .pickle or .pkl file.

    A .river file is an artifact written by `modstream.models.runtimes.river.artifact.pack`. A River
    model, from such a file or from a pickle, needs a `description` of its features. `note` is the
    note on the card; by default it is the model's class.

    Raises:
        PickleNotTrusted: the file is a pickle, which can run code, and `trust_pickle` is false.
        UnknownModelFile: the suffix is none of these.
        ArtifactError: the file cannot be read, or a worker could not load the model.
    """
    suffix, content = path.suffix.lower(), path.read_bytes()
    described = description or RiverDescription()
    if suffix == ".onnx":
        return import_onnx(name, content, note)
    if suffix == ".skops":
        return import_sklearn(name, unpack_sklearn(content), note)
    if suffix == ".river":
        return import_river(name, unpack_river(content), described, note)
    if suffix not in PICKLE_SUFFIXES:
        raise UnknownModelFile(path)
    if not trust_pickle:
        raise PickleNotTrusted(path)
    model = _unpickle(path, content)
    if isinstance(model, Estimator):
        return import_river(name, UnpackedModel(model, None), described, note)
    return import_sklearn(name, model, note)


def _unpickle(path: Path, content: bytes) -> object:
    with translate_library_errors(lambda reason: UnreadableArtifact("pickle", reason)):
        is_joblib = path.suffix.lower() == ".joblib"
        return joblib.load(path) if is_joblib else pickle.loads(content)  # noqa: S301
