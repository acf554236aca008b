"""The errors of the models room.

ModelError
├── InputError              one row, or one tensor request, that no model can answer; has a `code`
│   ├── MissingFeature
│   ├── WrongType
│   ├── NotFinite
│   ├── OutOfRange
│   └── WrongShape
├── ArtifactError           bytes that may not, or cannot, become a runtime
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
│   └── WarmUpFailed        it was built, but cannot answer rows that its own schema allows
├── UntrustedModel          the card's signature is absent, wrong, or by an unknown key
├── RegistryError
│   ├── RegistryUnavailable
│   ├── ModelNotFound
│   ├── VersionConflict
│   ├── UnreadableCard      the stored card is not one that this version of the code knows
│   ├── ArtifactGone        the card was kept, its artifact was not
│   ├── InvalidAlias        an alias that could be mistaken for something else
│   └── NothingToRollBack   the alias never stood anywhere else
├── TrainingError           no challenger can be trained from what there is
│   ├── NoFold              no part of the rows is later than every class was seen
│   ├── NotTrainable        models of this task learn online only
│   ├── TooFewRows
│   ├── TooFewOfClass
│   ├── TooManyBroken
│   └── UnknownMetric       the metric that was to decide does not fit the task
├── PredictError            the runtime failed on a batch of valid rows
└── LearnError              the runtime failed to learn from a batch of valid rows
"""

from pathlib import Path
from typing import ClassVar


class ModelError(Exception):
    """The root of everything that this room raises on purpose."""


class InputError(ModelError):
    """A row cannot be given to a model; `code` is stable and goes into the error answer."""

    code: ClassVar[str] = "invalid_input"


class MissingFeature(InputError):
    """The row or request has no value under a name that the schema asks for."""

    code: ClassVar[str] = "missing_feature"

    def __init__(self, feature: str) -> None:
        super().__init__(f"feature {feature!r} is missing")
        self.feature = feature


class WrongType(InputError):
    """The value is not of the feature's kind; a bool is no number, nor is a numeric string."""

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
    """The number does not fit the column's machine type."""

    code: ClassVar[str] = "out_of_range"

    def __init__(self, feature: str, machine_type: str) -> None:
        super().__init__(f"feature {feature!r} does not fit {machine_type}")
        self.feature, self.machine_type = feature, machine_type


class WrongShape(InputError):
    """A tensor's shape contradicts its data, its neighbours or the schema."""

    code: ClassVar[str] = "wrong_shape"

    def __init__(self, tensor: str, expected: str, found: object) -> None:
        super().__init__(f"tensor {tensor!r} must have {expected}, not {found}")
        self.tensor, self.expected, self.found = tensor, expected, found


class ArtifactError(ModelError):
    """The bytes of a model may not, or cannot, become a runtime."""


class HashMismatch(ArtifactError):
    """The bytes are not those that the card describes."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"artifact has sha256 {found}, its card says {expected}")
        self.expected, self.found = expected, found


class ArtifactTooLarge(ArtifactError):
    """The artifact, packed or unpacked, is larger than this room handles."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"artifact has {size:,} bytes, the limit is {limit:,}")
        self.size, self.limit = size, limit


class ForbiddenGlobal(ArtifactError):
    """The artifact names a Python object that is not on the exact-name allow-list."""

    def __init__(self, qualified_name: str) -> None:
        super().__init__(f"artifact refers to {qualified_name}, which is not on the allow-list")
        self.qualified_name = qualified_name


class ExternalData(ArtifactError):
    """An ONNX tensor points to a file outside the artifact."""

    def __init__(self, tensor: str) -> None:
        super().__init__(f"ONNX tensor {tensor!r} keeps its data outside the artifact")
        self.tensor = tensor


class UnreadableArtifact(ArtifactError):
    """The bytes are damaged, of another format, or of another library version."""

    def __init__(self, runtime: str, reason: str) -> None:
        super().__init__(f"the {runtime} artifact cannot be read: {reason}")
        self.runtime, self.reason = runtime, reason


class RuntimeUnavailable(ArtifactError):
    """The card asks for a runtime that is unknown here or whose library is not installed."""

    def __init__(self, runtime: str, reason: str) -> None:
        super().__init__(f"runtime {runtime!r} is not available: {reason}")
        self.runtime, self.reason = runtime, reason


class NotConvertible(ArtifactError):
    """A scikit-learn model cannot be described or written as ONNX."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"{kind} cannot be exported: {reason}")
        self.kind, self.reason = kind, reason


class GoldenMismatch(ArtifactError):
    """The exported model answers a golden row differently from the original."""

    def __init__(self, row: int, expected: float, found: float) -> None:
        super().__init__(f"golden row {row}: the original says {expected:g}, the export {found:g}")
        self.row, self.expected, self.found = row, expected, found


class PickleNotTrusted(ArtifactError):
    """A file is a pickle, which runs code when it is read, and nobody has vouched for it."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path.name} is a pickle and could run any code when it is read: vouch for it"
            " with --trust, or save the model with skops"
        )
        self.path = path


class UnknownModelFile(ArtifactError):
    """The file's ending names no format that a model can be published from."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path.name} is none of .onnx, .skops, .river, .joblib, .pkl")
        self.path = path


class WarmUpFailed(ArtifactError):
    """The runtime raises or gives non-finite answers on rows that its own schema allows."""

    def __init__(self, name: str, version: int, reason: str) -> None:
        super().__init__(f"{name} version {version} fails its warm-up: {reason}")
        self.name, self.version, self.reason = name, version, reason


class UntrustedModel(ModelError):
    """The card is not signed by a key that this process trusts."""

    def __init__(self, name: str, version: int, reason: str) -> None:
        super().__init__(f"{name} version {version} is not trusted: {reason}")
        self.name, self.version, self.reason = name, version, reason


class RegistryError(ModelError):
    """The registry cannot give or take what was asked."""


class RegistryUnavailable(RegistryError):
    """The registry's server does not answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the model registry is not available: {reason}")
        self.reason = reason


class ModelNotFound(RegistryError):
    """No such model, version or alias is registered."""

    def __init__(self, name: str, ref: int | str) -> None:
        super().__init__(f"model {name!r} has no version or alias {ref!r}")
        self.name, self.ref = name, ref


class VersionConflict(RegistryError):
    """Somebody else published in between; the writer's parent is no longer the newest."""

    def __init__(self, name: str, expected: int | None, found: int | None) -> None:
        super().__init__(
            f"model {name!r} stands at version {found}, the writer expected {expected}"
        )
        self.name, self.expected, self.found = name, expected, found


class UnreadableCard(RegistryError):
    """The stored card is damaged, or written by a newer version of this code."""

    def __init__(self, name: str, version: int, reason: str) -> None:
        super().__init__(f"the card of {name} version {version} cannot be read: {reason}")
        self.name, self.version, self.reason = name, version, reason


class ArtifactGone(RegistryError):
    """Retention has deleted the artifact of an old version; its card remains."""

    def __init__(self, name: str, version: int) -> None:
        super().__init__(
            f"the artifact of {name} version {version} is gone: retention kept only its card"
        )
        self.name, self.version = name, version


class InvalidAlias(RegistryError):
    """An alias must not look like a version number and must be a plain word."""

    def __init__(self, alias: str) -> None:
        super().__init__(f"{alias!r} cannot be an alias: take a lower-case word such as champion")
        self.alias = alias


class NothingToRollBack(RegistryError):
    """The alias has not moved, or not since its history was last trimmed."""

    def __init__(self, name: str, alias: str) -> None:
        super().__init__(
            f"the alias {alias!r} of {name} has nothing to go back to: "
            "its history names no version before the present one"
        )
        self.name, self.alias = name, alias


class TrainingError(ModelError):
    """No challenger can be trained from what there is."""


class NoFold(TrainingError):
    """In no fold of cross-validation was every class seen before the rows to score."""

    def __init__(self, folds: int) -> None:
        super().__init__(f"in none of {folds} folds were all classes seen before the rows to score")
        self.folds = folds


class NotTrainable(TrainingError):
    """Models of this task learn online, row by row; there is no batch training for them."""

    def __init__(self, name: str, task: str) -> None:
        super().__init__(f"{name} is a model for {task}: such models learn online only")
        self.name, self.task = name, task


class TooFewRows(TrainingError):
    """There are fewer labelled rows than a model can be trusted from."""

    def __init__(self, found: int, fewest: int) -> None:
        super().__init__(f"there are {found:,} labelled rows, at least {fewest:,} are needed")
        self.found, self.fewest = found, fewest


class TooFewOfClass(TrainingError):
    """A class has too few rows to be learned, or to be tested."""

    def __init__(self, label: object, found: int, fewest: int) -> None:
        super().__init__(f"class {label!r} has {found:,} rows, at least {fewest:,} are needed")
        self.label, self.found, self.fewest = label, found, fewest


class TooManyBroken(TrainingError):
    """So many rows are broken that the others cannot be trusted; `rules` counts why."""

    def __init__(self, broken: int, rows: int, rules: dict[str, int]) -> None:
        told = ", ".join(f"{rule} {count:,}" for rule, count in rules.items())
        super().__init__(f"{broken:,} of {rows:,} labelled rows are broken: {told}")
        self.broken, self.rows, self.rules = broken, rows, rules


class UnknownMetric(TrainingError):
    """The metric that was to decide does not fit the task."""

    def __init__(self, metric: str, known: tuple[str, ...]) -> None:
        super().__init__(f"{metric!r} does not measure this task: take {', '.join(known)}")
        self.metric, self.known = metric, known


class PredictError(ModelError):
    """The runtime failed on a batch of valid rows; a smaller batch may tell which row it was."""

    def __init__(self, runtime: str, reason: str) -> None:
        super().__init__(f"the {runtime} runtime could not predict: {reason}")
        self.runtime, self.reason = runtime, reason


class LearnError(ModelError):
    """The runtime failed in the middle of a batch: its state is undefined, drop the copy."""

    def __init__(self, runtime: str, reason: str) -> None:
        super().__init__(f"the {runtime} runtime could not learn: {reason}")
        self.runtime, self.reason = runtime, reason
