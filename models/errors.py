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
│   └── WarmUpFailed        the runtime was built, but fails on rows that its own schema allows
├── UntrustedModel          the card's signature is missing, invalid, or by an unknown key
├── RegistryError
│   ├── RegistryUnavailable
│   ├── ModelNotFound
│   ├── VersionConflict     the registry is not in the state that the writer expected
│   ├── UnreadableCard      the stored card is damaged or has a format unknown to this code
│   ├── ArtifactDeleted     the card was kept, its artifact was not
│   ├── InvalidAlias        an alias that could be mistaken for something else
│   └── NothingToRollBack   the alias has no earlier version
├── TrainingError           no challenger can be trained from the collected rows
│   ├── NoUsableFold        no time-ordered fold has enough classes to fit and score on
│   ├── NotTrainable        models of this task learn online only
│   ├── TooFewRows
│   ├── TooFewRowsOfClass
│   ├── TooManyRejectedRows
│   └── UnknownMetric       the requested metric does not apply to the task
├── PredictError            the runtime failed on a batch of valid rows
└── LearnError              the runtime failed to learn from a batch of valid rows
"""

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


class ForbiddenGlobal(ArtifactError):
    """The artifact names a Python object that is not on the exact-name allow-list."""

    def __init__(self, qualified_name: str) -> None:
        super().__init__(f"the artifact refers to {qualified_name}, which is not on the allow-list")
        self.qualified_name = qualified_name


class ExternalData(ArtifactError):
    """An ONNX tensor points to a file outside the artifact."""

    def __init__(self, tensor: str) -> None:
        super().__init__(f"the ONNX tensor {tensor!r} stores its data outside the artifact")
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
    """A scikit-learn model cannot be described or written as ONNX."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"{kind} cannot be exported: {reason}")
        self.kind, self.reason = kind, reason


class GoldenMismatch(ArtifactError):
    """The exported model predicts another value for a golden row than the original."""

    def __init__(self, row: int, expected: float, found: float) -> None:
        super().__init__(
            f"golden row {row}: the original predicts {expected:g}, the export {found:g}"
        )
        self.row, self.expected, self.found = row, expected, found


class PickleNotTrusted(ArtifactError):
    """A file is a pickle, which can run any code when it is read, and was not marked as trusted."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path.name} is a pickle and can run any code when it is read: allow it with --trust"
            " if you trust its author, or save the model with skops"
        )
        self.path = path


class UnknownModelFile(ArtifactError):
    """The file's extension is not one of a format that models can be published from."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path.name} does not end in .onnx, .skops, .river, .joblib or .pkl")
        self.path = path


class WarmUpFailed(ArtifactError):
    """The runtime raises or returns non-finite values on rows that its own schema allows."""

    def __init__(self, name: str, version: int, reason: str) -> None:
        super().__init__(f"{name} version {version} fails its warm-up: {reason}")
        self.name, self.version, self.reason = name, version, reason


class UntrustedModel(ModelError):
    """The card is not signed by a key that this process trusts."""

    def __init__(self, name: str, version: int, reason: str) -> None:
        super().__init__(f"{name} version {version} is not trusted: {reason}")
        self.name, self.version, self.reason = name, version, reason


class RegistryError(ModelError):
    """The registry cannot perform the requested operation."""


class RegistryUnavailable(RegistryError):
    """Redis is unreachable, too slow, or refuses the command."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the model registry is not available: {reason}")
        self.reason = reason


class ModelNotFound(RegistryError):
    """No such model, version or alias is registered."""

    def __init__(self, name: str, ref: int | str) -> None:
        super().__init__(f"model {name!r} has no version or alias {ref!r}")
        self.name, self.ref = name, ref


class VersionConflict(RegistryError):
    """The registry is not in the state that the writer expected.

    Either it never assigned the number of the new version's parent, as after a loss of data, or
    another writer moved an alias during a rollback.
    """

    def __init__(self, name: str, expected: int | None, found: int | None) -> None:
        super().__init__(
            f"model {name!r} is at version {found}, but the writer expected version {expected}"
        )
        self.name, self.expected, self.found = name, expected, found


class UnreadableCard(RegistryError):
    """The stored card is damaged, or was written by a newer version of this code."""

    def __init__(self, name: str, version: int, reason: str) -> None:
        super().__init__(f"the card of {name} version {version} cannot be read: {reason}")
        self.name, self.version, self.reason = name, version, reason


class ArtifactDeleted(RegistryError):
    """Retention has deleted the artifact of an old version; its card remains."""

    def __init__(self, name: str, version: int) -> None:
        super().__init__(
            f"the artifact of {name} version {version} was deleted: retention kept only its card"
        )
        self.name, self.version = name, version


class InvalidAlias(RegistryError):
    """The alias is not a plain lower-case word, or looks like a version number."""

    def __init__(self, alias: str) -> None:
        super().__init__(f"{alias!r} cannot be an alias: use a lower-case word such as champion")
        self.alias = alias


class NothingToRollBack(RegistryError):
    """The alias has not moved, or not since its history was last trimmed."""

    def __init__(self, name: str, alias: str) -> None:
        super().__init__(
            f"the alias {alias!r} of {name} cannot be rolled back: "
            "its history has no version before the current one"
        )
        self.name, self.alias = name, alias


class TrainingError(ModelError):
    """No challenger can be trained from the collected rows."""


class NoUsableFold(TrainingError):
    """No fold of the time-ordered cross-validation can be fitted and scored."""

    def __init__(self, folds: int) -> None:
        super().__init__(
            f"none of the {folds} time-ordered folds has at least 3 training rows of every class"
            " and two different labels to score on; collect more feedback"
        )
        self.folds = folds


class NotTrainable(TrainingError):
    """Models of this task learn online, row by row; they have no batch training."""

    def __init__(self, name: str, task: str) -> None:
        super().__init__(f"{name} is a model for {task}: such models learn online only")
        self.name, self.task = name, task


class TooFewRows(TrainingError):
    """There are fewer labelled rows than a reliable model needs."""

    def __init__(self, found: int, required: int) -> None:
        super().__init__(f"there are {found:,} labelled rows, at least {required:,} are needed")
        self.found, self.required = found, required


class TooFewRowsOfClass(TrainingError):
    """A class has too few rows to train or to test on."""

    def __init__(self, label: object, found: int, required: int) -> None:
        super().__init__(f"class {label!r} has {found:,} rows, at least {required:,} are needed")
        self.label, self.found, self.required = label, found, required


class TooManyRejectedRows(TrainingError):
    """Too many rows were rejected to trust the others; `rules` counts the rejections by rule."""

    def __init__(self, rejected: int, rows: int, rules: dict[str, int]) -> None:
        counts = ", ".join(f"{rule} {count:,}" for rule, count in rules.items())
        super().__init__(f"{rejected:,} of {rows:,} labelled rows were rejected: {counts}")
        self.rejected, self.rows, self.rules = rejected, rows, rules


class UnknownMetric(TrainingError):
    """The requested metric does not apply to the task."""

    def __init__(self, metric: str, known: tuple[str, ...]) -> None:
        super().__init__(f"{metric!r} is not a metric of this task: use {', '.join(known)}")
        self.metric, self.known = metric, known


class PredictError(ModelError):
    """The runtime failed on a batch of valid rows; smaller batches can find the row."""

    def __init__(self, runtime: str, reason: str) -> None:
        super().__init__(f"the {runtime} runtime could not predict: {reason}")
        self.runtime, self.reason = runtime, reason


class LearnError(ModelError):
    """The runtime failed while learning a batch: its state is undefined and must be discarded."""

    def __init__(self, runtime: str, reason: str) -> None:
        super().__init__(f"the {runtime} runtime could not learn: {reason}")
        self.runtime, self.reason = runtime, reason
