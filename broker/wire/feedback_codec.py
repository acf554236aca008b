"""Feedback as a learner reads it: the same as by codec.py, in a fifth of the time.

The contract stays the definition. What is read here, `codec.decode` reads alike; whatever is
unusual, not finite numbers for one, is left to it.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, MsgspecError, Struct
from msgspec.json import Decoder

from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Feedback, Scored
from modstream.broker.wire.features import Scalar

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]


class Said(Struct, frozen=True, gc=False):
    """Who said what; see `Scored`."""

    model: Name
    version: int
    outputs: dict[str, Any]


class Fed(Struct, frozen=True, gc=False):
    """A row of feedback; see `Feedback`."""

    id: Annotated[str, Meta(min_length=1, max_length=256)]
    label: Scalar
    predictions: tuple[Said, ...]
    event_time: int
    label_time: int
    features: dict[str, Scalar | None] | None = None
    revises: Scalar | None = None
    schema_version: Literal[1] = 1


Told = Feedback | Fed
"""Feedback, by whichever way it was read."""
Saying = Scored | Said
"""A prediction in it."""


class FeedbackReader:
    """Reads feedback records."""

    def __init__(self) -> None:
        self._decode = Decoder(Fed).decode

    def read(self, value: bytes | None) -> Told:
        """Read one record's value.

        Raises:
            DecodeError: it is no feedback; as `codec.decode` says.
        """
        try:
            return self._decode(value or b"")
        except (MsgspecError, UnicodeDecodeError, RecursionError):
            return decode(Feedback, value)
