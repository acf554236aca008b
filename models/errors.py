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
├── RegistryError           continued in registry/errors.py
├── TrainingError           continued in training/errors.py
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
