"""What is wrong with a message, in plain words: the field, what it must be, and what it is.

pydantic reports one error for each type that a field may have, and writes those types into the
location. Here all errors of the field become one sentence, and the location is the document's own.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

MAX_ERRORS = 2000
"""Errors that are looked at. A document may have a million of them."""
MAX_PART_LENGTH = 100
"""Characters of one name in a location."""

TYPE_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "float_type": "a number", "float_parsing": "a number",
        "int_type": "an integer", "int_parsing": "an integer", "int_from_float": "an integer",
        "int_parsing_size": "an integer",
        "string_type": "a text", "bytes_type": "a text", "string_unicode": "a text",
        "bool_type": "true or false", "bool_parsing": "true or false",
        "list_type": "a list", "tuple_type": "a list",
        "dict_type": "an object", "model_type": "an object", "model_attributes_type": "an object",
        "none_required": "null",
    }
)  # fmt: skip
"""Errors of the wrong type, and the type that is right."""

SCALAR_TYPES = frozenset({"bool", "int", "constrained-int", "float", "str", "constrained-str"})
"""The names that end the location of an error in a scalar of several types."""

CONSTRAINT_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = MappingProxyType(
    {
        "greater_than_equal": lambda context: f"at least {context['ge']}",
        "greater_than": lambda context: f"more than {context['gt']}",
        "less_than_equal": lambda context: f"at most {context['le']}",
        "less_than": lambda context: f"less than {context['lt']}",
        "finite_number": lambda _: "a finite number",
        "string_too_short": lambda context: f"a text of at least {context['min_length']} character",
        "string_too_long": lambda context: f"a text of at most {context['max_length']} characters",
        "too_long": lambda context: f"a list of at most {context['max_length']} items",
        "string_pattern_mismatch": lambda context: f"a text that matches {context['pattern']}",
        "literal_error": lambda context: context["expected"],
        "enum": lambda context: context["expected"],
    }
)
"""Errors of a value of the right type, and what it must be instead."""


class Location(NamedTuple):
    """A place in a document: the names and numbers that lead there, and the value there."""

    path: tuple[str | int, ...]
    value: object

    def __str__(self) -> str:
        """Return the path with dots; unprintable characters are escaped."""
        return ".".join(printable(str(part)) for part in self.path)


def describe(error: ValidationError, document: object, prefix: tuple[str | int, ...] = ()) -> str:
    """Return the first fault of a document in one sentence.

    Args:
        error: the error of its validation.
        document: the parsed document.
        prefix: the location of the part that was validated, if it is not the whole.
    """
    if error.error_count() > MAX_ERRORS:
        return f"more than {MAX_ERRORS:,} values are not valid"
    details = error.errors(include_url=False, include_input=False)
    first = details[0]["loc"][:1]
    located = [
        (locate(document, (*prefix, *one["loc"])), one)
        for one in details
        if prefix or one["loc"][:1] == first
    ]
    # The errors of the type that the document means are further inside than those of other types.
    deepest = max(len(place.path) for place, _ in located)
    place = next(place for place, _ in located if len(place.path) == deepest)
    return sentence(place, [one for other, one in located if other.path == place.path])


def sentence(place: Location, details: Sequence[ErrorDetails]) -> str:
    """Return what is wrong at a place, given all errors there."""
    prefix = f"{place}: " if place.path else ""
    for detail in details:
        kind, context = detail["type"], detail.get("ctx", {})
        if kind == "missing":
            return f"{Location((*place.path, detail['loc'][-1]), None)}: is missing"
        if kind in CONSTRAINT_WORDS:
            return f"{prefix}must be {CONSTRAINT_WORDS[kind](context)}"
        if kind == "value_error":
            return f"{prefix}{context['error']}"
        if kind not in TYPE_WORDS:
            return f"{prefix}{detail['msg']}"
    wanted = dict.fromkeys(TYPE_WORDS[detail["type"]] for detail in details)
    if "a number" in wanted:
        wanted.pop("an integer", None)
    *others, last = sorted(wanted)
    words = f"{', '.join(others)} or {last}" if others else last
    return f"{prefix}must be {words}, not {word_for(place.value)}"


def locate(document: object, location: Iterable[str | int]) -> Location:
    """Return the place in a document that an error's location means.

    Parts of the location that lead nowhere in the document are names of types.
    """
    path: list[str | int] = []
    parts = list(location)
    if parts and parts[-1] in SCALAR_TYPES:
        parts.pop()
    for part in parts:
        if _is_in(document, part):
            document = document[part]  # type: ignore[index]
            path.append(part)
    return Location(tuple(path), document)


def word_for(value: object) -> str:
    """Return what a JSON value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    words = {int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return words.get(type(value), "something else")


def parse_leniently(value: bytes) -> object:
    """Return a JSON document as far as Python can read it, else None."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _is_in(document: object, part: str | int) -> bool:
    if isinstance(document, list):
        return isinstance(part, int) and part < len(document)
    return isinstance(document, dict) and isinstance(part, str) and part in document


def printable(text: str) -> str:
    """Return a text that cannot control a terminal, cut if it is long."""
    cut = text if len(text) <= MAX_PART_LENGTH else f"{text[:MAX_PART_LENGTH]}…"
    return cut if cut.isprintable() else ascii(cut)[1:-1]
