"""Machine-learning models: schemas, cards, runtimes, artifacts, the registry and the shelf.

This window shows what a worker needs, and opening it imports no machine-learning library. What
only a publisher needs stands in `models.export`, `models.files` and `models.flights`.
"""

from models.card import ModelCard, Task
from models.draft import Draft
from models.errors import (
    ArtifactError,
    InputError,
    LearnError,
    ModelError,
    ModelNotFound,
    PredictError,
    RegistryError,
    RegistryUnavailable,
    UntrustedModel,
)
from models.history import HistoryEntry
from models.link import RegistrySettings
from models.registry import Registry
from models.residents import Loaded
from models.runtime import RUNTIMES, LearningRuntime, Outputs, Runtime, load
from models.schema import Batch, Feature, InputSchema, Scalar, Sorted, Tensor
from models.shelf import Shelf, ShelfSettings
from models.signing import SigningKey, Trust

__all__ = [
    "RUNTIMES",
    "ArtifactError",
    "Batch",
    "Draft",
    "Feature",
    "HistoryEntry",
    "InputError",
    "InputSchema",
    "LearnError",
    "LearningRuntime",
    "Loaded",
    "ModelCard",
    "ModelError",
    "ModelNotFound",
    "Outputs",
    "PredictError",
    "Registry",
    "RegistryError",
    "RegistrySettings",
    "RegistryUnavailable",
    "Runtime",
    "Scalar",
    "Shelf",
    "ShelfSettings",
    "SigningKey",
    "Sorted",
    "Task",
    "Tensor",
    "Trust",
    "UntrustedModel",
    "load",
]
