"""The classes of the versions that made predictions, from their cards.

A prediction says what the model answered, not what its classes are: whether a label of 2 is the
second class, or no class at all, is known from the card only. Where no card is found, the classes
are unknown, and nothing is scored by a guess.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import NamedTuple

from modstream.models.schema.card import ModelCard, Task
from modstream.models.schema.class_labels import ClassLabels

FindCard = Callable[[str, int], ModelCard | None]
"""Returns the card of a model's version, or None if there is none or it cannot be read now."""

MAX_VERSIONS = 5000
"""Number of versions that are remembered, known and unknown ones together."""
RETRY_SECONDS = 60.0
"""Time after which an unknown version is looked up again."""
LOOKUPS_PER_SECOND = 50.0
"""Maximum rate of lookups of versions that turn out to be unknown: anybody can name versions."""


class VersionLabels(NamedTuple):
    """What a version predicts: its task, and its classes, which are empty for numbers."""

    task: Task
    classes: ClassLabels

    @classmethod
    def of(cls, card: ModelCard) -> "VersionLabels":
        """Return the task and classes in a card."""
        return cls(card.task, ClassLabels.of(card.task, card.classes))

    def is_like(self, other: "VersionLabels") -> bool:
        """Return whether another version has the same task, and the same labels in order."""
        return self.task == other.task and self.classes.agrees_with(other.classes)


def no_card(_model: str, _version: int) -> None:
    """Find no card."""


@dataclass(slots=True)
class VersionClasses:
    """The classes of versions, looked up once each and remembered within bounds.

    A version that is not found is unknown for `RETRY_SECONDS`. If many unknown versions are named,
    those beyond `LOOKUPS_PER_SECOND` are unknown without being looked up.
    """

    find_card: FindCard = no_card
    clock: Callable[[], float] = monotonic
    _known: OrderedDict[tuple[str, int], VersionLabels] = field(default_factory=OrderedDict)
    _unknown: OrderedDict[tuple[str, int], float] = field(default_factory=OrderedDict)
    _lookups_left: float = LOOKUPS_PER_SECOND
    _refilled: float = 0.0

    def add(self, card: ModelCard) -> None:
        """Remember the classes of a card."""
        self._remember(card.name, card.version, VersionLabels.of(card))

    def get(self, model: str, version: int) -> VersionLabels | None:
        """Return what a version predicts, or None if it is unknown."""
        known = self._known.get((model, version))
        return self._look_up(model, version) if known is None else known

    def _look_up(self, model: str, version: int) -> VersionLabels | None:
        now = self.clock()
        if self._unknown.get((model, version), 0.0) > now:
            return None
        rested = LOOKUPS_PER_SECOND * (now - self._refilled)
        self._lookups_left = min(LOOKUPS_PER_SECOND, self._lookups_left + rested)
        self._refilled = now
        if self._lookups_left < 1:
            return None
        card = self.find_card(model, version)
        if card is not None:
            return self._remember(model, version, VersionLabels.of(card))
        self._lookups_left -= 1
        self._unknown[model, version] = now + RETRY_SECONDS
        if len(self._unknown) > MAX_VERSIONS:
            self._unknown.popitem(last=False)
        return None

    def _remember(self, model: str, version: int, labels: VersionLabels) -> VersionLabels:
        # Most versions of a model have the same classes: they share one object.
        newest = next(reversed(self._known.values()), None)
        if newest is not None and newest.task == labels.task and newest.classes == labels.classes:
            labels = newest
        self._known[model, version] = labels
        self._known.move_to_end((model, version))
        self._unknown.pop((model, version), None)
        if len(self._known) > MAX_VERSIONS:
            self._known.popitem(last=False)
        return labels
