"""What a response says without being decoded: its source position, its model and version. Pure."""

import re
from typing import NamedTuple

from modstream.audit.stream_audit import MAX_DIGITS

SOURCE_PATTERN = re.compile(rb'"partition":(\d{1,18}),"offset":(\d{1,18})\}\}$')
"""Matches the source position, which the codec writes last."""
MAX_SOURCE_BYTES = 80
"""The end of a response in which the source position is looked for."""


class ResponseModel(NamedTuple):
    """The model and version of a response; version 0 if its header has none."""

    name: str
    version: int


def find_source(value: bytes | None) -> tuple[int, int] | None:
    """Return partition and offset of the request that a response answers; None if not found."""
    if value is None:
        return None
    found = SOURCE_PATTERN.search(value, max(0, len(value) - MAX_SOURCE_BYTES))
    return None if found is None else (int(found[1]), int(found[2]))


def parse_model_header(header: bytes) -> ResponseModel:
    """Return the model and version in the value of a response's model header."""
    name, _, version = header.decode(errors="replace").rpartition("/")
    is_number = version.isdecimal() and len(version) <= MAX_DIGITS
    return ResponseModel(name, int(version) if is_number else 0)
