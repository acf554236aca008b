"""No character of data steers a terminal, and none of its brackets is markup."""

import json
from contextlib import redirect_stdout
from io import BytesIO, StringIO, TextIOWrapper

import pytest
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from modstream.cli import output
from modstream.terminal import CONTROLS, SafeConsole, description_column, safe_progress
from tests.modstream.hostile_text import HOSTILE, check_harmless, printed

BRACKETS = "[bold]b[/bold] [link=http://x]l[/link] :bomb:"


def table_of(text):
    table = Table(text, title=text)
    table.add_row(text)
    return table


RENDERABLES = {
    "string": lambda text: text,
    "text": Text,
    "panel": lambda text: Panel(text, title=text),
    "table": table_of,
    "group": lambda text: Group(text, Text(text)),
}


@pytest.mark.parametrize("kind", RENDERABLES)
def test_what_a_console_prints_has_no_control_character(kind):
    steering = (chr(number) for number in range(0x3000) if CONTROLS.match(chr(number)))
    texts = [*(f"a{one}b" for one in steering), f"{BRACKETS} {HOSTILE}"]

    shown = printed(lambda: [output.stdout.print(RENDERABLES[kind](text)) for text in texts])

    check_harmless(shown)
    assert BRACKETS in shown


def test_a_console_keeps_other_letters_and_line_breaks():
    text = "größe\n名前 🙂"

    assert printed(lambda: output.stdout.print(text)) == f"{text}\n"


def test_a_document_means_the_same_after_it_was_escaped():
    document = {HOSTILE: [HOSTILE, "\ud800", "größe", 1.5, None]}

    shown = printed(lambda: output.print_json(document))

    check_harmless(shown)
    assert json.loads(shown) == document


@pytest.mark.parametrize(
    "value", [b'{"id":"\xc2\x9b\xe2\x80\xae\x7fend"}', b"\xff\x00\x1b[2J\r\n\tend"]
)
def test_bytes_are_exact_in_a_pipe_and_escaped_on_a_terminal(value):
    shown = printed(lambda: output.stdout.print_exactly(value))
    pipe = TextIOWrapper(BytesIO())
    with redirect_stdout(pipe):
        output.stdout.print_exactly(value)

    check_harmless(shown)
    assert pipe.buffer.getvalue() == value + b"\n"
    if value.startswith(b"{"):
        assert json.loads(shown) == json.loads(value)


def test_a_stream_without_bytes_gets_text():
    sink = StringIO()
    with redirect_stdout(sink):
        SafeConsole().print_exactly(b"a\xff")

    assert sink.getvalue() == "a\ufffd\n"


def test_the_description_of_a_progress_display_is_text():
    progress = safe_progress(description_column(), console=output.stderr)
    progress.add_task(f"{BRACKETS} {HOSTILE}", total=None)

    shown = printed(lambda: output.stderr.print(progress.get_renderable()))

    check_harmless(f"{shown} end")  # the end of a long description is cut
    assert BRACKETS in shown
