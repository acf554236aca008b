"""JSON from callers: what is wrong with it in plain words, and whether a worker can read it.

A worker parses with pydantic, which knows bounds that msgspec does not: of nesting, and of digits.
It moves a record that is not JSON to the dead letters without an answer, so what pydantic could not
parse must be refused here.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

import msgspec
import numpy as np

from modstream.producers.gateway.protocol.errors import ProtocolError

T = TypeVar("T")

MAX_DEPTH = 64
"""Maximum number of levels of lists and objects; pydantic accepts 200."""
MAX_DIGITS = 4300
"""Maximum number of digits of an integer, for Python and for pydantic."""
_STEP = MAX_DIGITS // 2 - 1
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_LONG_NUMBER = re.compile(rb"(?<![0-9])[0-9]{%d}" % MAX_DIGITS)  # starts once per number
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_OPENING_BIT = 2
"""The bit that `[` and `{` have in ASCII, and `]` and `}` do not."""
_PLACE = re.compile(r" - at `\$(.*)`$", re.DOTALL)
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "`str`": "a text",
        "`str | null`": "a text",
        "`int`": "an integer",
        "`float`": "a number",
        "`bool`": "true or false",
        "`array`": "a list",
        "`array | null`": "a list",
        "`object`": "an object",
        "`object | null`": "an object",
    }
)
"""JSON's types, as messages name them."""


def parse(decode: Callable[[bytes | msgspec.Raw], T], document: bytes | msgspec.Raw, at: str) -> T:
    """Decode JSON.

    Args:
        decode: the decoder.
        document: the JSON.
        at: its place in the call, for errors.

    Raises:
        ProtocolError: it is not JSON, or not what the decoder expects.
    """
    try:
        return decode(document)
    except msgspec.ValidationError as error:
        raise ProtocolError(400, _explain(str(error), at)) from None
    except msgspec.DecodeError as error:
        raise ProtocolError(400, f"{at or 'the body'}: is not JSON: {error}") from None
    except RecursionError:
        raise _too_deep() from None


def _explain(message: str, at: str) -> str:
    """Return a message of msgspec about a value in plain words, with the value's place."""
    found = _PLACE.search(message)
    place = f"{at}{found[1] if found else ''}".strip(".") or "the body"
    text = message[: found.start()] if found else message
    for word, plain in _WORDS.items():
        text = text.replace(word, plain)
    if text.startswith("Object missing required field `"):
        return f"{place}: has no field {text.split('`')[1]}"
    return f"{place}: {text[:1].lower()}{text[1:]}"


def check_utf8(document: bytes) -> None:
    """Raise if a document is not UTF-8; msgspec does not look into texts that it skips.

    Raises:
        ProtocolError: it is not.
    """
    if not document.isascii():
        try:
            document.decode()
        except UnicodeDecodeError as error:
            raise ProtocolError(
                400, f"the body: is not UTF-8: byte {error.start} is {document[error.start]:#04x}"
            ) from None


def check_bounds(document: bytes) -> None:
    """Raise if pydantic could not parse a document although msgspec could.

    Args:
        document: JSON that msgspec has parsed.

    Raises:
        ProtocolError: it is nested too deeply, or a number has too many digits.
    """
    if document.count(b"[") + document.count(b"{") > MAX_DEPTH and depth(document) > MAX_DEPTH:
        raise _too_deep()
    if len(document) > MAX_DIGITS and _has_long_number(document):
        raise ProtocolError(400, f"the body: a number has {MAX_DIGITS} digits or more")


def depth(document: bytes) -> int:
    """Return how many levels of lists and objects a JSON document has."""
    without_texts = _STRING.sub(b"", document) if b'"' in document else document
    brackets = np.frombuffer(without_texts.translate(None, _NOT_BRACKETS), np.uint8)
    steps = np.where(brackets & _OPENING_BIT, np.int32(1), np.int32(-1))
    return int(np.cumsum(steps, dtype=np.int32).max(initial=0))


def _has_long_number(document: bytes) -> bool:
    # A run of so many digits contains at least one of these slices, whatever its start.
    slices = (document[at : at + _STEP] for at in range(0, len(document), _STEP))
    return any(map(bytes.isdigit, slices)) and bool(_LONG_NUMBER.search(_STRING.sub(b"", document)))


def _too_deep() -> ProtocolError:
    return ProtocolError(400, f"the body: is nested more than {MAX_DEPTH} levels deep")
