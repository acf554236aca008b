"""Text for a terminal: no character of a record, a card or a server's error steers it.

Control characters move the cursor, change the title of a window or its colours; characters that set
the direction of text make a line look like another one. They are printed as Python escapes. Square
brackets of data are text, as rich's markup is switched off.
"""

import json
import re
import sys
from collections.abc import Iterable
from io import TextIOWrapper
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.highlighter import JSONHighlighter
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.segment import Segment
from rich.text import Text

CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""C0 but the line break, DEL, C1, separators of lines, characters that set the direction."""


class SafeConsole(Console):
    """A console that escapes control characters of whatever it prints, and knows no markup.

    Styles are given as objects of rich (`Text`), never inside a text.
    """

    def __init__(self, *, to_stderr: bool = False, soft_wrap: bool = False) -> None:
        super().__init__(stderr=to_stderr, soft_wrap=soft_wrap, markup=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:  # noqa: ANN401 - rich's
        """Return a text without markup; rich would drop some control characters silently."""
        return super().render_str(escape_controls(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Return the segments of anything that rich prints, with control characters escaped."""
        if isinstance(renderable, Text) and CONTROLS.search(renderable.plain):
            renderable = _escape_text(renderable)  # before its width is counted
        for segment in super().render(renderable, options):
            if segment.control or not CONTROLS.search(segment.text):
                yield segment
            else:
                yield Segment(escape_controls(segment.text), segment.style)

    def print_document(self, value: object) -> None:
        """Print a value as indented JSON, unwrapped, and coloured only on a terminal."""
        text = json.dumps(value, default=str, indent=2, ensure_ascii=False)
        self.print(JSONHighlighter()(escape_json(text)), soft_wrap=True)

    def print_exactly(self, data: bytes) -> None:
        """Print a line for programs: the very bytes, unless standard output is a terminal.

        On a terminal, control characters are escaped as JSON escapes them, so that a JSON document
        keeps its meaning; line breaks and tabs in it become spaces.
        """
        if sys.stdout.isatty():
            text = re.sub(r"[\t\r\n]", " ", data.decode(errors="replace"))
            self.out(escape_json(text), highlight=False)
        elif isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.flush()
            sys.stdout.buffer.write(data + b"\n")
            sys.stdout.buffer.flush()
        else:
            sys.stdout.write(f"{data.decode(errors='replace')}\n")


def safe_progress(*columns: ProgressColumn, console: Console, is_shown: bool = True) -> Progress:
    """Return a progress display that disappears at its end; descriptions have no markup.

    Args:
        columns: by default the description, a bar, the share and the time that remains.
        console: where it is shown.
        is_shown: whether it is shown at all.
    """
    defaults = (description_column(), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*(columns or defaults), console=console, transient=True, disable=not is_shown)


def description_column() -> TextColumn:
    """Return a column of a progress display with the description as plain text."""
    return TextColumn("{task.description}", markup=False)


def _escape_text(text: Text) -> Text:
    """Return a text with its styles in which control characters are escaped."""
    borders = {border for found in CONTROLS.finditer(text.plain) for border in found.span()}
    escaped = text.blank_copy()
    for part in text.divide(sorted(borders)):
        escaped.append_text(Text(escape_controls(part.plain), spans=part.spans, style=part.style))
    return escaped


def escape_controls(text: str) -> str:
    """Return a text in which the characters that steer a terminal are escaped, but line breaks."""
    return CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def escape_json(document: str) -> str:
    """Return a JSON document with the same meaning that has only printable characters."""
    if document.replace("\n", "").isprintable():
        return document
    return "".join(
        char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in document
    )
