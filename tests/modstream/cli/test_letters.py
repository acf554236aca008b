"""Bytes of unknown origin as text for a terminal."""

import pytest

from modstream.cli.letters import escape_bytes


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (None, None),
        (b"", ""),
        ("Zürich".encode(), "Zürich"),
        (b"\x1b[2J", r"\x1b[2J"),
        (b"\xff\n\\", r"\xff\n\\"),
    ],
)
def test_control_characters_and_invalid_utf8_are_escaped(data, expected):
    assert escape_bytes(data, 100) == expected


def test_an_ellipsis_marks_what_was_cut():
    assert escape_bytes(b"abcdef", 3) == "abc…"
    assert escape_bytes(b"abc", 3) == "abc"
