"""Request ids, row numbers and model names: the definitions that both codecs validate against."""

from hashlib import sha256
from typing import Annotated

from msgspec import Meta
from pydantic import BeforeValidator, Field

from modstream.broker.wire.bounds import refuse_bool

MAX_ID_LENGTH = 256
MODEL_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
"""Names that the model registry accepts. `models/` may not import this package and repeats it."""

# In Python, unlike in pydantic, `$` also matches before a line feed at the end of the text.
_PYTHON_PATTERN = MODEL_NAME_PATTERN.removesuffix("$") + r"\Z"

RequestId = Annotated[
    str,
    Field(min_length=1, max_length=MAX_ID_LENGTH),
    Meta(min_length=1, max_length=MAX_ID_LENGTH),
]
"""A request id, validated alike by pydantic models and msgspec structs."""
MAX_ROW_NUMBER = 2**31 - 1
RowNumber = Annotated[
    int,
    Field(ge=0, le=MAX_ROW_NUMBER),
    BeforeValidator(refuse_bool),
    Meta(ge=0, le=MAX_ROW_NUMBER),
]
"""The number of a row within its request, from 0."""
ModelName = Annotated[str, Field(pattern=MODEL_NAME_PATTERN), Meta(pattern=_PYTHON_PATTERN)]
"""A model's name, validated alike by pydantic models and msgspec structs."""

ROW_SEPARATOR = "\udcff"
"""Separates a row number from an id; no id that was decoded from JSON contains it."""


def row_key(request_id: str, row: int | None) -> str:
    """Return the text that identifies one row of all requests: for the first row, the id itself.

    A label without a row number is one of the first row. As bytes, the text is encoded with
    `errors="surrogateescape"`.
    """
    return f"{row}{ROW_SEPARATOR}{request_id}" if row else request_id


def is_unicode(text: str) -> bool:
    """Return whether a text can be written as UTF-8: JSON can also escape half of a surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def usable_id(text: str) -> str:
    """Return a text as the id of a request; its SHA-256 if no id can be like it."""
    if 0 < len(text) <= MAX_ID_LENGTH and is_unicode(text):
        return text
    return sha256(text.encode(errors="replace")).hexdigest()
