"""Import of model files: .onnx, .skops, .river, .mean, and pickles that the caller trusts."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from modstream.models.errors import (
    ArtifactTooLarge,
    PickleNotTrusted,
    UnknownModelFile,
)
from modstream.models.importers.description import NO_DESCRIPTION, ModelDescription
from modstream.models.importers.imported_model import ImportedModel
from modstream.models.importers.mlflow import FileFormat, is_mlflow, read_mlflow
from modstream.models.importers.onnx.importer import import_onnx
from modstream.models.schema.artifact import MAX_ARTIFACT_BYTES

FORMATS: Mapping[str, FileFormat] = MappingProxyType(
    {
        ".onnx": "onnx",
        ".skops": "skops",
        ".river": "river",
        ".mean": "mean",
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
    """Import a model from an .onnx, .skops, .river, .mean, .joblib, .pickle or .pkl file.

    Or from a file of XGBoost (.json, .ubj, .model), LightGBM (.txt, .model) or CatBoost (.cbm,
    .json), or from the folder of an MLflow model, whose signature describes it unless the caller
    does.

    A .river file is an artifact written by `modstream.models.runtimes.river.artifact.pack`. A River
    model, from such a file or from a pickle, needs a `description` of its features. A .mean file is
    one of `modstream.models.runtimes.mean.artifact.pack`, which describes itself. `note` is the
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
    if kind == "onnx":
        return import_onnx(name, file.read_bytes(), note, description)
    # The libraries of the other formats take longer to import than most ONNX files to publish.
    from modstream.models.importers.import_content import import_content  # noqa: PLC0415

    return import_content(name, file, kind, note, description)
