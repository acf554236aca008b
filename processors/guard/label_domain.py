"""The labels that a model can learn from, by its task and its own classes."""

from dataclasses import dataclass
from typing import Self

from modstream.models.schema.card import ModelCard
from modstream.models.schema.class_labels import ClassLabels, canonical_number, show_label
from modstream.models.schema.columns import Scalar

NUMBER_TASKS = frozenset({"regression", "forecast"})
"""The tasks whose label is a finite number."""
CLASS_TASKS = frozenset({"binary", "multiclass", "anomaly"})
"""The tasks whose label is one of the classes."""
UNLABELLED_TASKS = frozenset({"clustering", "transformation"})
"""The tasks that are learned without labels: any label is accepted, and none is used."""


@dataclass(frozen=True, slots=True)
class LabelDomain:
    """The domain of a model's labels; `classes` is empty for a task without classes."""

    task: str
    classes: ClassLabels

    @classmethod
    def of(cls, card: ModelCard) -> Self:
        """Return the domain of a version's labels."""
        return cls(card.task, ClassLabels.of(card.task, card.classes))

    def canonical(self, label: object) -> Scalar | None:
        """Return a label as it is learned, or None if the model cannot learn from it."""
        if self.task in CLASS_TASKS:
            return self.classes.canonical(label)
        if self.task in NUMBER_TASKS:
            return canonical_number(label)
        if self.task in UNLABELLED_TASKS and isinstance(label, bool | int | float | str):
            return label
        return None

    def reject(self, label: object) -> str:
        """Return the reason why a label outside the domain is rejected."""
        if self.task in CLASS_TASKS:
            return self.classes.reject(label)
        if self.task in NUMBER_TASKS:
            return f"{show_label(label)} is not a finite number"
        return f"{show_label(label)} cannot be the label of a model of task {self.task}"
