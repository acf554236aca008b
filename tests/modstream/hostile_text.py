"""Texts that steer a terminal, a terminal for tests, and the check that nothing has steered it."""

import re
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import pytest

from modstream.cli import output

HOSTILE = (
    "\x1b]0;title\x07\x1b[2J\x9b31m\x85\u202e\u2066\u2028\x7f\r\t\x00\x1b]8;;http://x\x1b\\end"
)
"""Sets a title, clears the screen, sets a colour, turns the direction, and links to a page."""
STEERING = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), "\u2028", "\u2029"} | {
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2066, 0x206A)),
}


class FakeTerminal(StringIO):
    """A stream of text that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def printed(action: Callable[[], object]) -> str:
    """Return what an action prints on a wide terminal, on either output, without rich's styles.

    The hostile text sets its colour by C1, so that it would remain.
    """
    terminal = FakeTerminal()
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(terminal),
        redirect_stderr(terminal),
    ):
        patch.setenv("COLUMNS", "1000")
        patch.setenv("NO_COLOR", "1")
        for console in (output.stdout, output.stderr):
            patch.setattr(console, "_width", 1000)
            patch.setattr(console, "_height", 100)
            patch.setattr(console, "_color_system", None)
        action()
    return re.sub(r"\x1b\[[\d;]*m", "", terminal.getvalue())


def check_harmless(text: str) -> None:
    """Check that a text was printed, and that only its line breaks are control characters."""
    assert "end" in text
    found = {char for char in text if char in STEERING} - {"\n"}
    assert not found, f"{found} in {text!r}"
