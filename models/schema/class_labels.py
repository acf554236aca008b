"""The one mapping between labels, classes and numbers.

A label travels as JSON, which has one type of number and a type of its own for true and false. The
model's classes are Python values with three: `bool`, `int` and `float`. `ClassLabels` compares them
as JSON does, by the model's own classes first. Guard, learner, metrics, promotion gate, audit and
reports all use it, so that they cannot disagree about what a label means.

| classes | a label is a class if it is |
|---|---|
| booleans | true or false; also the number 0 or 1, for a model without any other class |
| numbers | a number of the same value: 1 and 1.0 are one label, at any size |
| 0 and 1, and no other | a number of the same value; also true or false |
| strings | the same string; the number 1 is not the string "1" |
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from types import MappingProxyType
from typing import Final, Self

from modstream.models.schema.columns import Scalar

BINARY_CLASSES: Final = (False, True)
"""The classes of a binary model or an anomaly detector whose card names none."""
TWO_CLASS_TASKS: Final = frozenset({"binary", "anomaly"})
"""The tasks whose labels are `BINARY_CLASSES` if the card names no classes."""
MAX_SHOWN_CHARACTERS: Final = 80
"""Maximum length of a label in a message."""
MAX_SHOWN_CLASSES: Final = 20
"""Maximum number of classes in a message."""
MAX_EXACT_INT: Final = 2**53
"""Largest magnitude up to which float64 has every integer."""

_Index = Mapping[object, int]


class ClassLabels:
    """The classes of a model in the order of its outputs, and the labels that mean them.

    Of two classes, the second is the positive one. Immutable. An equal class that is repeated
    counts as its first occurrence.
    """

    __slots__ = ("_booleans", "_names", "_numbers", "_strings", "classes")

    classes: tuple[Scalar, ...]

    def __init__(self, classes: Sequence[Scalar]) -> None:
        self.classes = tuple(classes)
        booleans, numbers, strings = (_index_by_kind(classes, kind) for kind in _KINDS)
        if not numbers and not strings and booleans:
            numbers = dict(booleans)
        elif not booleans and not strings and set(numbers) == {0, 1}:
            booleans = dict(numbers)
        # Python's True equals 1, so that both are the same key: the kinds need an index each.
        self._booleans: _Index = MappingProxyType(booleans)
        self._numbers: _Index = MappingProxyType(numbers)
        self._strings: _Index = MappingProxyType(strings)
        names: dict[object, int] = {}
        for index, name in enumerate(self.names):
            names.setdefault(name, index)
        self._names: _Index = MappingProxyType(names)

    @classmethod
    def of(cls, task: str, classes: Sequence[Scalar]) -> Self:
        """Return the classes of a model by its card's task and classes.

        A binary model or an anomaly detector without classes has `BINARY_CLASSES`; other models
        without classes have none.
        """
        return cls(classes or (BINARY_CLASSES if task in TWO_CLASS_TASKS else ()))

    def __len__(self) -> int:
        """Return the number of classes."""
        return len(self.classes)

    def __eq__(self, other: object) -> bool:
        """Return whether the classes are the same values of the same types, in the same order."""
        return isinstance(other, ClassLabels) and self._typed() == other._typed()

    def __hash__(self) -> int:
        """Return a hash that is consistent with equality."""
        return hash(self._typed())

    def __repr__(self) -> str:
        """Return the classes as Python writes them."""
        return f"ClassLabels({self.classes!r})"

    def index_of(self, label: object) -> int | None:
        """Return the position of a label's class, or None if the label is none of the classes."""
        if isinstance(label, bool):
            return self._booleans.get(label)
        if isinstance(label, int | float):
            return self._numbers.get(label)
        return self._strings.get(label) if isinstance(label, str) else None

    def label_of(self, index: int) -> Scalar:
        """Return the class at a position, as the model has it."""
        return self.classes[index]

    def canonical(self, label: object) -> Scalar | None:
        """Return a label as the model's own class, or None if it is none of the classes."""
        index = self.index_of(label)
        return None if index is None else self.classes[index]

    @property
    def names(self) -> tuple[str, ...]:
        """The classes' names in predictions, in order: the keys of a mapping by class."""
        return tuple(map(str, self.classes))

    def index_of_output(self, value: object) -> int | None:
        """Return the position of a class in a prediction: the class itself, or its name."""
        index = self.index_of(value)
        return self._names.get(value) if index is None and isinstance(value, str) else index

    def agrees_with(self, other: "ClassLabels") -> bool:
        """Return whether the classes of another model are the same labels in the same order."""
        return len(self) == len(other) and all(
            self.index_of(one) == index == other.index_of(self.classes[index])
            for index, one in enumerate(other.classes)
        )

    def reject(self, label: object) -> str:
        """Return the reason why a label that is none of the classes is rejected."""
        shown = ", ".join(map(show_label, self.classes[:MAX_SHOWN_CLASSES]))
        more = len(self.classes) - MAX_SHOWN_CLASSES
        if more > 0:
            shown += f" and {more} more"
        return f"{show_label(label)} is not one of the classes {shown or '(none)'}"

    def _typed(self) -> tuple[tuple[type, Scalar], ...]:
        return tuple((type(one), one) for one in self.classes)


def finite_number(label: object) -> float | None:
    """Return a label as a finite float64, or None if it is none.

    True and false are no numbers; an integer beyond the range of float64 is none either.
    """
    if isinstance(label, bool) or not isinstance(label, int | float):
        return None
    try:
        number = float(label)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def canonical_number(label: object) -> Scalar | None:
    """Return a regression's label as it is learned, or None if it is not a finite number.

    An integer stays one as long as float64 has it exactly.
    """
    number = finite_number(label)
    if isinstance(label, int) and number is not None and abs(label) <= MAX_EXACT_INT:
        return label
    return number


def show_label(label: object, *, quote: bool = True) -> str:
    """Return a label as it is shown in messages: as Python writes it, cut if it is long.

    With `quote` false, a string is returned as it is.
    """
    if isinstance(label, str) and not quote:
        return label
    if isinstance(label, str) and len(label) > MAX_SHOWN_CHARACTERS:
        return f"{label[:MAX_SHOWN_CHARACTERS]!r}... ({len(label)} characters)"
    if isinstance(label, int) and label.bit_length() > 3 * MAX_SHOWN_CHARACTERS:
        # Python refuses to write integers of more than 4,300 digits.
        return f"an integer of {label.bit_length()} bits"
    return repr(label) if isinstance(label, str | int | float) else f"a {type(label).__name__}"


_KINDS: tuple[tuple[type, ...], ...] = ((bool,), (int, float), (str,))
"""The Python types of JSON's booleans, numbers and strings."""


def _index_by_kind(classes: Sequence[Scalar], kind: tuple[type, ...]) -> dict[object, int]:
    """Return the positions of the classes of one kind; a bool is no number."""
    found: dict[object, int] = {}
    for index, one in enumerate(classes):
        if isinstance(one, kind) and (kind == (bool,) or not isinstance(one, bool)):
            found.setdefault(one, index)
    return found
