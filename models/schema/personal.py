"""What becomes of personal data before it goes on: the marks of features, and what they do."""

import hmac
import math
from dataclasses import dataclass
from typing import Literal, Self, get_args

from modstream.models.schema.columns import Scalar

ProtectionKind = Literal["drop", "pseudonymise", "generalise", "shorten"]
SIZED: frozenset[str] = frozenset({"generalise", "shorten"})
FORMS = "drop, pseudonymise, generalise=WIDTH or shorten=LENGTH"
PSEUDONYM_DIGITS = 32
"""Hexadecimal digits of a pseudonym: 128 bits, so that no two values have the same one."""


@dataclass(frozen=True, slots=True)
class Protection:
    """What becomes of the values of one feature.

    `size` is the width of the classes of numbers, or how many characters of a text stay.
    """

    kind: ProtectionKind
    size: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the form in which marks and settings are written, such as `generalise=10`.

        Raises:
            ValueError: the text has none of the forms.
        """
        name, _, number = text.partition("=")
        for kind in get_args(ProtectionKind):
            if name == kind and (kind in SIZED) == bool(number):
                return cls(kind, _positive(text, number) if number else 0.0)
        raise ValueError(f"{text!r} is none of {FORMS}")

    @property
    def needs_secret(self) -> bool:
        """Whether a value is replaced by means of its person's secret."""
        return self.kind == "pseudonymise"

    def apply(self, name: str, value: object, secret: bytes | None) -> Scalar | None:
        """Return what a value of a feature is replaced by; None if nothing of it stays.

        Args:
            name: the feature, as a value has different pseudonyms in different features.
            value: any value of JSON; one of another kind than the protection is for does not stay.
            secret: that of the person; without one there are no pseudonyms.
        """
        if self.kind == "generalise":
            return _generalise(value, self.size)
        if self.kind == "shorten":
            return value[: int(self.size)] if isinstance(value, str) else None
        if self.kind == "drop" or secret is None or not isinstance(value, str | int | float):
            return None
        return pseudonym(secret, name, str(value))


def pseudonym(secret: bytes, name: str, value: str) -> str:
    """Return the pseudonym of a person's value in a feature or column."""
    content = f"{name}\0{value}".encode(errors="surrogatepass")
    return hmac.digest(secret, content, "sha256").hex()[:PSEUDONYM_DIGITS]


def _generalise(value: object, width: float) -> float | None:
    """Return the lower end of a number's class; that of a whole number is a whole number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        low = math.floor(value / width) * width
    except (OverflowError, ValueError):  # of infinity, NaN, or an integer above all floats
        return None
    return math.floor(low) if isinstance(value, int) else low


def _positive(text: str, number: str) -> float:
    try:
        size = float(number)
    except ValueError:
        size = 0.0
    if not 0 < size < math.inf or (text.startswith("shorten") and size != int(size)):
        raise ValueError(f"{text!r} needs a positive number, as in generalise=10 or shorten=2")
    return size
