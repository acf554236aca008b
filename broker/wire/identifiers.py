"""Request ids and model names: the one definition that both codecs validate against."""

from typing import Annotated

from msgspec import Meta
from pydantic import Field

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
ModelName = Annotated[str, Field(pattern=MODEL_NAME_PATTERN), Meta(pattern=_PYTHON_PATTERN)]
"""A model's name, validated alike by pydantic models and msgspec structs."""
