"""What the caller of an import knows about a model and its file may not record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from modstream.models.errors import OptionNotSupported
from modstream.models.schema.card import ScoreKind, Task
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Feature

SAMPLE_ROW_LIMIT = 1000
"""The largest number of sample rows that an import predicts."""

_OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "task": "--task",
        "scores": "--scores",
        "classes": "--class",
        "features": "--feature",
        "samples": "--sample",
    }
)
"""The option of `modstream models publish` for each field of a description."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescription:
    """The caller's description of a model; it takes precedence over what the file records.

    Every importer takes one and honours each field that is set, or raises `OptionNotSupported`.
    A field is never ignored.

    Attributes:
        task: what the model does; None if its file says so.
        scores: what a classifier's or clusterer's numbers mean; None if its file says so.
        classes: the class labels in the order of the model's outputs; empty if its file has them.
        features: the features in the order of the model's inputs; empty if its file has them.
        samples: rows of the model's own data by feature name, at most `SAMPLE_ROW_LIMIT`, on which
            an export is compared with the original; None to derive them from the model. A missing
            value is None or NaN, or its name is absent.
    """

    task: Task | None = None
    scores: ScoreKind | None = None
    classes: tuple[Scalar, ...] = ()
    features: tuple[Feature, ...] = ()
    samples: Sequence[Mapping[str, object]] | None = None

    def refuse(self, *fields: str, reason: str) -> None:
        """Raise if one of the fields is set, as the importer cannot honour it.

        Raises:
            OptionNotSupported: one is; the error names its option and the reason.
        """
        for field in fields:
            if getattr(self, field) not in (None, ()):
                raise OptionNotSupported(_OPTIONS[field], reason)


NO_DESCRIPTION = ModelDescription()
"""The description of a caller who knows nothing beyond the model's file."""
