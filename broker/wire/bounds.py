"""The bounds of every number, text and list in a message, validated alike by both codecs.

So a reader never keeps an unbounded value, or computes with one, whatever a topic contains.
Nesting is bounded by the parsers: by pydantic's at 200 levels, by msgspec's at
`fast_codec.MAX_OPENING_BRACKETS`. The number of features of a row, and of bytes of a text that is a
feature, are bounded by the size of the record.
"""

from typing import Annotated, Any

from msgspec import Meta
from pydantic import AfterValidator, BeforeValidator, Field, Strict

INT64_MIN, INT64_MAX, UINT64_MAX = -(2**63), 2**63 - 1, 2**64 - 1
MAX_EXACT_INT = 2**53 - 1
"""Integers up to this one are exact in every JSON parser."""
MIN_EVENT_TIME, MAX_EVENT_TIME = -62_135_596_800_000, 253_402_300_799_999
"""Milliseconds since the epoch of the years 1 to 9999."""
MAX_VERSION = 10**18 - 1
MAX_REF_LENGTH = 64
MAX_NAME_LENGTH = 1024
MAX_LABEL_LENGTH = 1024
MAX_DETAIL_LENGTH = 16 * 1024
MAX_CODE_LENGTH = 100
MAX_TOPIC_LENGTH = 249
MAX_RANK = 16
MAX_DIMENSION = 2**31 - 1
MAX_ELEMENTS = 2**31 - 1
"""Maximum number of elements of a tensor."""
MAX_TENSORS = 1000
MAX_ROWS = 1_000_000
MAX_STEPS = 1000
"""Maximum number of steps of a pipeline that a prediction tells of."""
MAX_PREDICTIONS = 1000
MAX_OUTPUT_DEPTH = 8
"""Levels of lists and mappings within the outputs of a prediction."""


def refuse_bool(value: object) -> object:
    """Return a value that is not a bool, which JSON does not count among the numbers.

    Raises:
        ValueError: it is a bool.
    """
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")  # noqa: TRY004 - pydantic's rule
    return value


EventTime = Annotated[
    int,
    Field(ge=MIN_EVENT_TIME, le=MAX_EVENT_TIME),
    BeforeValidator(refuse_bool),
    Meta(ge=MIN_EVENT_TIME, le=MAX_EVENT_TIME),
]
"""Milliseconds since the epoch, UTC."""
Revision = Annotated[
    int, Field(ge=0, le=MAX_EXACT_INT), BeforeValidator(refuse_bool), Meta(ge=0, le=MAX_EXACT_INT)
]
"""The revision of a label: a higher one corrects a lower one, or the same one another value."""
LAST_REVISION = MAX_EXACT_INT
"""The highest revision, which corrects any other label; one of it corrects another one of it."""
Count = Annotated[
    int, Field(ge=0, le=INT64_MAX), BeforeValidator(refuse_bool), Meta(ge=0, le=INT64_MAX)
]
VersionNumber = Annotated[
    int, Field(ge=1, le=MAX_VERSION), BeforeValidator(refuse_bool), Meta(ge=1, le=MAX_VERSION)
]
KnownVersion = Annotated[
    int, Field(ge=0, le=MAX_VERSION), BeforeValidator(refuse_bool), Meta(ge=0, le=MAX_VERSION)
]
"""The number of a version that exists, or 0 for a model without one."""
Alias = Annotated[str, Field(max_length=MAX_REF_LENGTH), Meta(max_length=MAX_REF_LENGTH)]
"""An alias, or the digits of a version number."""
Name = Annotated[str, Field(max_length=MAX_NAME_LENGTH), Meta(max_length=MAX_NAME_LENGTH)]
"""The name of a feature, a tensor, a metric."""
LabelText = Annotated[str, Field(max_length=MAX_LABEL_LENGTH), Meta(max_length=MAX_LABEL_LENGTH)]
Detail = Annotated[str, Field(max_length=MAX_DETAIL_LENGTH), Meta(max_length=MAX_DETAIL_LENGTH)]
"""A text for people."""
Code = Annotated[str, Field(max_length=MAX_CODE_LENGTH), Meta(max_length=MAX_CODE_LENGTH)]
"""A text for programs, or a digest."""
TopicName = Annotated[str, Field(max_length=MAX_TOPIC_LENGTH), Meta(max_length=MAX_TOPIC_LENGTH)]
Partition = Annotated[
    int, Field(ge=0, le=MAX_DIMENSION), BeforeValidator(refuse_bool), Meta(ge=0, le=MAX_DIMENSION)
]
Offset = Annotated[
    int, Field(ge=0, le=INT64_MAX), BeforeValidator(refuse_bool), Meta(ge=0, le=INT64_MAX)
]
Dimension = Annotated[
    int, Field(ge=0, le=MAX_DIMENSION), BeforeValidator(refuse_bool), Meta(ge=0, le=MAX_DIMENSION)
]
JsonBool = Annotated[bool, Strict()]
JsonInt = Annotated[
    int,
    Strict(),
    Field(ge=INT64_MIN, le=UINT64_MAX),
    # msgspec knows no larger bound; integers above it are left to pydantic.
    Meta(ge=INT64_MIN, le=INT64_MAX),
]
"""An integer of any 64-bit type. In a union with `float`, a larger one is read as a float."""
JsonFloat = Annotated[float, Strict()]
LabelValue = JsonBool | JsonInt | JsonFloat | LabelText
"""A true value: a number or a class. Texts are not read as numbers, nor the other way around."""
FiniteLabel = JsonBool | JsonInt | Annotated[JsonFloat, Field(allow_inf_nan=False)] | LabelText
"""A true value that a client sends."""


def check_outputs(outputs: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs of a prediction if their numbers and their nesting are within the bounds.

    Raises:
        ValueError: an integer has more than 64 bits, or the nesting is too deep.
    """
    for value in outputs.values():
        if type(value) is not float:
            _check_json(value, MAX_OUTPUT_DEPTH)
    return outputs


def _check_json(value: object, depth: int) -> None:
    if isinstance(value, int):
        if not INT64_MIN <= value <= UINT64_MAX:
            raise ValueError("an integer among the outputs has more than 64 bits")
    elif isinstance(value, list | tuple | dict):
        if not depth:
            raise ValueError("the outputs are nested too deeply")
        for one in value.values() if isinstance(value, dict) else value:
            if type(one) is not float:
                _check_json(one, depth - 1)


NamedOutputs = Annotated[dict[str, Any], AfterValidator(check_outputs)]
"""The outputs of one row by name."""
