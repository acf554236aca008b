"""Bounded sets of names that others choose: of models, of errors."""

from collections import Counter
from collections.abc import Iterable

MAX_MODELS = 50
"""Number of models besides those of the route that are told apart."""
MAX_LEARNERS = 200
"""Number of models whose events and quarantined rows are told apart."""
MAX_COUNTED_NAMES = 200
"""Number of distinct errors or rules that are told apart."""
MAX_NAME_LENGTH = 100
OTHERS = "others"
"""What all further names count as."""


class NameTable:
    """The first names that occur, at most `limit` besides the `known` ones; the rest are `OTHERS`.

    A name is the same in all topics, in whatever order they are read: once it has no room, it never
    gets any.
    """

    def __init__(self, known: Iterable[str] = (), limit: int = MAX_MODELS) -> None:
        self._names = {name: name for name in known}
        self._limit = len(self._names) + limit
        self.dropped = 0

    def __getitem__(self, name: str) -> str:
        found = self._names.get(name)
        if found is not None:
            return found
        if len(self._names) >= self._limit:
            self.dropped += 1
            return OTHERS
        shown = printable(name)
        return self._names.setdefault(name if len(name) <= MAX_NAME_LENGTH else shown, shown)


class NameCounter(Counter[str]):
    """Counts by name, for at most `MAX_COUNTED_NAMES` names; the rest count as `OTHERS`."""

    def add(self, name: str) -> None:
        """Count a name."""
        shown = printable(name)
        if shown not in self and len(self) >= MAX_COUNTED_NAMES:
            shown = OTHERS
        self[shown] += 1


def printable(name: str) -> str:
    """Return the beginning of a name, with a question mark for what cannot be printed."""
    cut = name[:MAX_NAME_LENGTH]
    return cut if cut.isprintable() else "".join(c if c.isprintable() else "?" for c in cut)
