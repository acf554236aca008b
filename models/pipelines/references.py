"""References: the values that the parts of a pipeline take from a request or from earlier steps."""

from typing import NamedTuple

REQUEST = "request"
"""The source of a request's features; no step has this name."""


class Reference(NamedTuple):
    """A feature of the request, or an output of a step: `request.amount`, `risk.probability`.

    `field` may have several parts: `species.probabilities.setosa`.
    """

    source: str
    field: str

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Return the reference that a text names; the part after the first dot is the field.

        Raises:
            ValueError: the text has no source or no field.
        """
        source, _, name = text.strip().partition(".")
        if not source or not name:
            raise ValueError(
                f"{text!r} is no reference: write `{REQUEST}.<feature>` or `<step>.<output>`"
            )
        return cls(source, name)

    def __str__(self) -> str:
        return f"{self.source}.{self.field}"
