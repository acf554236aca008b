"""Helpers that the commands for dead letters and for quarantined rows share."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.progress import Progress

from modstream.broker.client.transactional_publisher import TransactionalPublisher
from modstream.broker.wire.topics import Topics
from modstream.cli.output import print_json, print_rows, stderr
from modstream.operations.redrive import LetterKind, Redrive, RedriveResult, dead_letters
from modstream.processors.redrive.selection import LetterFilter
from modstream.settings import Settings

MaxAttemptsOption = Annotated[
    int, typer.Option(min=1, help="Leave out what has been attempted at least this often.")
]
MaxBytesOption = Annotated[
    int, typer.Option("--bytes", min=0, help="Maximum number of bytes to show of each part.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only count what would be sent; send nothing.")
]


@contextmanager
def open_redrive(
    settings: Settings,
    kind_of: Callable[[Topics], LetterKind] = dead_letters,
    activity: str = "reading dead letters",
) -> Iterator[Redrive]:
    """Open the stream's letters of one kind and show the progress of reading and sending them."""
    with Progress(console=stderr, transient=True) as progress:
        task = progress.add_task(activity, total=None)

        def show_progress(activity: str, count: int) -> None:
            progress.update(task, description=f"{activity}, {count:,} so far")

        yield Redrive(settings.connection, kind_of(settings.topics()), show_progress)


def send_back(
    redrive: Redrive, selection: LetterFilter, transactional_id: str, *, dry_run: bool
) -> RedriveResult:
    """Send the selected letters back, or only count them if it is a dry run."""
    if dry_run:
        return RedriveResult(0, redrive.scan(selection.max_attempts).count_states(selection))
    with TransactionalPublisher(redrive.connection, transactional_id) as publisher:
        return redrive.run(selection, publisher)


def print_counts(counts: dict[str, int], *, as_json: bool) -> None:
    """Print one row of counts."""
    if as_json:
        print_json(counts)
        return
    print_rows([counts], as_json=False, empty="")


def escape_bytes(data: bytes | None, max_bytes: int) -> str | None:
    """Return bytes as text that cannot control a terminal and shows which bytes they are.

    Anything that is not printable UTF-8 is escaped as in a Python literal.
    """
    if data is None:
        return None
    text = data[:max_bytes].decode(errors="surrogateescape")
    return "".join(map(_escape, text)) + ("…" if len(data) > max_bytes else "")


def _escape(character: str) -> str:
    if character == "\\":
        return r"\\"
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # `surrogateescape` maps a byte that is not UTF-8 to this range.
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
