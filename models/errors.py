"""The errors of the models package.

ModelError
├── InputError              a row or tensor request that no model can process; has a `code`
│   ├── MissingFeature
│   ├── WrongType
│   ├── NotFinite
│   ├── OutOfRange
│   └── WrongShape
├── ArtifactError           bytes that must not, or cannot, become a runtime
│   ├── HashMismatch
│   ├── ArtifactTooLarge
│   ├── ForbiddenGlobal
│   ├── ExternalData
│   ├── UnreadableArtifact
│   ├── RuntimeUnavailable
│   ├── NotConvertible
│   ├── GoldenMismatch
│   ├── PickleNotTrusted
│   ├── UnknownModelFile
│   ├── LibraryMissing      the library that has written a file is not installed
│   ├── MeaningUnknown      the file does not say what a part of the model means
│   ├── WarmUpFailed        the runtime was built, but fails on rows that its own schema allows
│   ├── TrialFailed         loading or predicting in a process of its own failed, or took too long
│   ├── PersonalUnprotected the stream does not protect a feature that is marked as personal
│   ├── LoadTimedOut        a version was not loaded within the limit
│   └── VersionSetAside     a version whose predictions had to be stopped again and again
├── ModelLoading            a version is being loaded beside the requests
├── InvalidPipeline         the definition of a pipeline cannot be served
├── OptionNotSupported      a description of a model that its import cannot honour
├── StepsNotServable        wrangling steps that cannot run before a model
├── UntrustedModel          the card's signature is missing, invalid, or by an unknown key
├── UnreadableKey           a key of signatures that cannot be read
├── RegistryError           continued in registry/errors.py
├── StoreError              continued in prediction_store/errors.py
├── TrainingError           continued in training/errors.py
├── PredictError            the runtime failed on a batch of valid rows
│   └── PredictTimedOut     the runtime was stopped, as it took too long
└── LearnError              the runtime failed to learn from a batch of valid rows
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar


class ModelError(Exception):
    """The root of all errors that this package raises on purpose."""


class InputError(ModelError):
    """A row cannot be passed to a model; `code` is stable and part of the error response."""

    code: ClassVar[str] = "invalid_input"


class MissingFeature(InputError):
    """The row or request has no value for a feature of the schema."""

    code: ClassVar[str] = "missing_feature"

    def __init__(self, feature: str) -> None:
        super().__init__(f"feature {feature!r} is missing")
        self.feature = feature


class WrongType(InputError):
    """The value has another type than the feature; bools and numeric strings are not numbers."""

    code: ClassVar[str] = "wrong_type"

    def __init__(self, feature: str, expected: str, found: str) -> None:
        super().__init__(f"feature {feature!r} must be {expected}, not {found}")
        self.feature, self.expected, self.found = feature, expected, found


class NotFinite(InputError):
    """The value is NaN or infinite."""

    code: ClassVar[str] = "not_finite"

    def __init__(self, feature: str) -> None:
        super().__init__(f"feature {feature!r} must be finite, not NaN or infinite")
        self.feature = feature


class OutOfRange(InputError):
    """The number does not fit the numpy type of its column."""

    code: ClassVar[str] = "out_of_range"

    def __init__(self, feature: str, machine_type: str) -> None:
        super().__init__(f"feature {feature!r} does not fit {machine_type}")
        self.feature, self.machine_type = feature, machine_type


class WrongShape(InputError):
    """A tensor's shape contradicts its data, the other tensors or the schema."""

    code: ClassVar[str] = "wrong_shape"

    def __init__(self, tensor: str, expected: str, found: object) -> None:
        super().__init__(f"tensor {tensor!r} must have {expected}, not {found}")
        self.tensor, self.expected, self.found = tensor, expected, found


class ArtifactError(ModelError):
    """The bytes of a model must not, or cannot, become a runtime."""


class HashMismatch(ArtifactError):
    """The bytes are not the artifact that the card describes."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"the artifact has SHA-256 {found}, but its card has {expected}")
        self.expected, self.found = expected, found


class ArtifactTooLarge(ArtifactError):
    """The artifact, packed or unpacked, is larger than the limit."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the artifact has {size:,} bytes, the limit is {limit:,}")
        self.size, self.limit = size, limit


class PersonalUnprotected(ArtifactError):
    """A feature is marked as personal, and the stream does not protect it as the mark says."""

    def __init__(self, feature: str, wanted: str, found: str | None) -> None:
        has = "have nothing for it" if found is None else f"say {found!r}"
        super().__init__(
            f"the feature {feature} is marked as personal ({wanted}), and the settings {has}: write"
            f" {feature} = {wanted!r} into [personal.features], and restart the workers"
        )
        self.feature, self.wanted, self.found = feature, wanted, found


class ForbiddenGlobal(ArtifactError):
    """The artifact names a Python object that is not on the exact-name allow-list."""

    def __init__(self, qualified_name: str) -> None:
        super().__init__(
            f"the artifact refers to {qualified_name}, which is not on the allow-list: replace that"
            " part by one of the library's own"
        )
        self.qualified_name = qualified_name


class ExternalData(ArtifactError):
    """An ONNX tensor points to a file outside the artifact."""

    def __init__(self, tensor: str) -> None:
        super().__init__(
            f"the ONNX tensor {tensor!r} stores its data in another file: put all into one file,"
            " with external_data=False of torch.onnx.export or with Python's"
            " onnx.save(onnx.load('model.onnx'), 'one-file.onnx'), and publish that"
        )
        self.tensor = tensor


class UnreadableArtifact(ArtifactError):
    """The bytes are damaged, or written in another format or by another library version."""

    def __init__(self, runtime: str, reason: str) -> None:
        super().__init__(f"the {runtime} artifact cannot be read: {reason}")
        self.runtime, self.reason = runtime, reason


class RuntimeUnavailable(ArtifactError):
    """The card names a runtime that is unknown or whose library is not installed."""

    def __init__(self, runtime: str, reason: str) -> None:
        super().__init__(f"runtime {runtime!r} is not available: {reason}")
        self.runtime, self.reason = runtime, reason


class NotConvertible(ArtifactError):
    """A model cannot be described, or written in a form that workers load."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"{kind} cannot be published: {reason}")
        self.kind, self.reason = kind, reason


class GoldenMismatch(ArtifactError):
    """The exported model predicts another value for a golden row than the original."""

    def __init__(self, row: int, expected: object, found: object) -> None:
        original, export = (
            f"{value:g}" if isinstance(value, float) else repr(value) for value in (expected, found)
        )
        super().__init__(f"golden row {row}: the original predicts {original}, the export {export}")
        self.row, self.expected, self.found = row, expected, found


class PickleNotTrusted(ArtifactError):
    """A file is a pickle, which can run any code when it is read, and was not marked as trusted."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path.name} is a pickle and can run any code when it is read: allow it with --trust"
            " if you trust its author; or save a scikit-learn model with skops.io.dump, and a River"
            " model with modstream.models.runtimes.river.artifact.pack"
        )
        self.path = path


_PUBLISHABLE = (
    "give an .onnx, .skops, .river, .mean, .joblib or .pkl file, a file of XGBoost (.json, .ubj),"
    " LightGBM (.txt) or CatBoost (.cbm), or the folder of an MLflow model"
)


class UnknownModelFile(ArtifactError):
    """The path is neither a file of a known format, by its suffix, nor an MLflow model's folder."""

    def __init__(self, path: Path, remedy: str = "") -> None:
        found = f"{path.name} is no model file that can be published: {remedy or _PUBLISHABLE}"
        folder = "has no file MLmodel: give the folder of an MLflow model, or a model file"
        super().__init__(f"{path.name} {folder}" if path.is_dir() else found)
        self.path, self.remedy = path, remedy


class LibraryMissing(ArtifactError):
    """The library that has written a file is not installed; an extra of modstream installs it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} is converted with the library that has made it: install that with"
            f" `pip install 'modstream[{extra}]'`, and publish the file again"
        )
        self.what, self.extra = what, extra


class MeaningUnknown(ArtifactError):
    """The file does not say what a part of the model means; the caller has to.

    `what` is unknown; `remedy` names the options that say it.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"the model does not say {what}: {remedy}")
        self.what, self.remedy = what, remedy


class InvalidPipeline(ModelError):
    """A pipeline cannot be served as it is defined; each problem has a line."""

    def __init__(self, source: str, problems: Sequence[object]) -> None:
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))
        self.source, self.problems = source, tuple(problems)


class OptionNotSupported(ModelError):
    """The caller's description of a model contradicts its file, or cannot be honoured for it.

    `option` is the command's option, such as --class; `reason` says what to do instead.
    """

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(f"{option} cannot be honoured: {reason}")
        self.option, self.reason = option, reason


class StepsNotServable(ModelError):
    """Wrangling steps cannot run before a model: they need several rows, or ONNX lacks a part."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class WarmUpFailed(ArtifactError):
    """The runtime raises or returns non-finite values on rows that its own schema allows."""

    def __init__(self, name: str, version: int, reason: str) -> None:
        super().__init__(f"{name} version {version} fails its warm-up: {reason}")
        self.name, self.version, self.reason = name, version, reason


class TrialFailed(ArtifactError):
    """The version fails its trial: it crashes, takes too long or too much memory, or is wrong.

    With `is_about_rows` it fails on rows that may be none that it was made for.
    """

    def __init__(self, name: str, reason: str, *, is_about_rows: bool = False) -> None:
        super().__init__(f"{name} fails its trial: {reason}")
        self.name, self.reason, self.is_about_rows = name, reason, is_about_rows


class LoadTimedOut(ArtifactError):
    """The version passed its trial, but was not loaded within the limit in this process."""

    def __init__(self, name: str, ref: int | str, seconds: float) -> None:
        super().__init__(f"{_describe(name, ref)} was not loaded within {seconds:g} s")
        self.name, self.ref, self.seconds = name, ref, seconds


class VersionSetAside(ArtifactError):
    """The version is loaded no longer, as its predictions had to be stopped again and again."""

    def __init__(self, name: str, version: int) -> None:
        super().__init__(
            f"version {version} of {name} was set aside: its predictions had to be stopped again"
            " and again, as they took too long"
        )
        self.name, self.version = name, version


class ModelLoading(ModelError):
    """The version is being loaded beside the requests, which go on meanwhile."""

    def __init__(self, name: str, ref: int | str) -> None:
        super().__init__(f"{_describe(name, ref)} is being loaded; try again")
        self.name, self.ref = name, ref


class UntrustedModel(ModelError):
    """The card is not signed by a key that this process trusts."""

    def __init__(self, name: str, version: int, reason: str) -> None:
        super().__init__(f"{name} version {version} is not trusted: {reason}")
        self.name, self.version, self.reason = name, version, reason


class UnreadableKey(ModelError):
    """A private or public key of signatures cannot be read."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"the key in {source} cannot be read: {reason}")
        self.source, self.reason = source, reason


class PredictError(ModelError):
    """The runtime failed on a batch of valid rows; smaller batches can find the row."""

    def __init__(self, runtime: str, reason: str) -> None:
        super().__init__(f"the {runtime} runtime could not predict: {reason}")
        self.runtime, self.reason = runtime, reason


class PredictTimedOut(PredictError):
    """The runtime was stopped: a prediction took longer than its limit."""

    def __init__(self, runtime: str, rows: int, seconds: float) -> None:
        counted = "1 row" if rows == 1 else f"{rows} rows"
        reason = f"{counted} took longer than {seconds:.2g} s of processor time"
        if not seconds:
            reason = "it is not asked for some minutes, since its runs had to be ended too often"
        super().__init__(runtime, reason)
        self.rows, self.seconds = rows, seconds


class LearnError(ModelError):
    """The runtime failed while learning a batch: its state is undefined and must be discarded."""

    def __init__(self, runtime: str, reason: str) -> None:
        super().__init__(f"the {runtime} runtime could not learn: {reason}")
        self.runtime, self.reason = runtime, reason


def _describe(name: str, ref: int | str) -> str:
    """Return how a message calls a version or the target of an alias."""
    return f"version {ref} of {name}" if isinstance(ref, int) else f"the {ref} of {name}"
