"""Helpers that the commands for dead letters and for quarantined rows share."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, NamedTuple

import typer

from modstream.broker.client.transactional_publisher import TransactionalPublisher
from modstream.broker.errors import BrokerError
from modstream.broker.wire.topics import Topics
from modstream.cli.output import open_progress, print_json, print_rows, stderr
from modstream.cli.servers import require_stream
from modstream.errors import UnknownName
from modstream.models.errors import ModelError
from modstream.name_hints import nearest_names
from modstream.operations.redrive import LetterKind, Redrive, RedriveResult, dead_letters
from modstream.processors.errors import ProcessorError
from modstream.processors.redrive.selection import DeadLetter, LetterFilter
from modstream.settings import Settings

RULES = frozenset(
    {
        *("time", "unknown_features", "label_domain", "outlier", "loss", "source"),
        *("duplicate_id", "unlearnable", "model_full"),
    }
)
"""The guard's rules that are not codes of errors (docs/learning.md)."""
MAX_REASONS = 20
"""Reasons that are printed, one for each letter."""

MaxAttemptsOption = Annotated[
    int, typer.Option(min=1, help="Leave out what has been attempted at least this often.")
]
MaxBytesOption = Annotated[
    int, typer.Option("--bytes", min=0, help="Maximum number of bytes to show of each part.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only count what would be sent; send nothing.")
]


class LetterTerms(NamedTuple):
    """How messages call a letter of one kind, and its cause."""

    letter: str
    cause: str


DEAD_LETTER_TERMS = LetterTerms("dead letter", "cause")
QUARANTINE_TERMS = LetterTerms("quarantined row", "rule")


@contextmanager
def open_redrive(
    settings: Settings,
    kind_of: Callable[[Topics], LetterKind] = dead_letters,
    activity: str = "reading dead letters",
) -> Iterator[Redrive]:
    """Open the stream's letters of one kind and show the progress of reading and sending them."""
    require_stream(settings)
    with open_progress() as progress:
        task = progress.add_task(activity, total=None)

        def show_progress(activity: str, count: int) -> None:
            progress.update(task, description=f"{activity}, {count:,} so far")

        yield Redrive(settings.connection, kind_of(settings.topics()), show_progress)


def send_back(
    redrive: Redrive,
    selection: LetterFilter,
    transactional_id: str,
    terms: LetterTerms,
    *,
    dry_run: bool,
) -> RedriveResult:
    """Send the selected letters back, or only count them if it is a dry run.

    Raises:
        UnknownName: a cause or a position that no letter has is given.
    """
    if dry_run or selection.cause is not None or selection.position is not None:
        letters = redrive.scan(selection.max_attempts)
        if not letters.matching(selection):
            check_unmatched(letters.all, selection, redrive.kind.topic, terms)
        if dry_run:
            refused = tuple(letters.refused(selection))
            return RedriveResult(0, letters.count_states(selection), refused)
    with TransactionalPublisher(redrive.connection, transactional_id) as publisher:
        return redrive.run(selection, publisher)


def check_unmatched(
    letters: Iterable[DeadLetter], selection: LetterFilter, topic: str, terms: LetterTerms
) -> None:
    """Check that a cause or a position is not a typing error, though it selects no letter.

    Args:
        letters: all letters of the topic.
        selection: selects none of them.
        topic: the topic of the letters.
        terms: the words for the message.

    Raises:
        UnknownName: no letter is at the position, or the cause is none that modstream has, and none
            of these letters'.
    """
    if selection.position is not None:
        near = f"{topic}:{selection.position.partition(':')[2]}"
        positions = {one.position for one in letters} & {near}
        remedy = f"the topic is {topic}"
        raise UnknownName(terms.letter, selection.position, positions, remedy)
    letters = list(letters)
    present, errors = {one.cause for one in letters}, {one.error for one in letters}
    known = present | known_causes()
    if selection.cause is None or not letters or selection.cause in known | errors:
        return
    nearest = nearest_names(selection.cause, known) or nearest_names(selection.cause, errors)
    raise UnknownName(terms.cause, selection.cause, nearest or present)


def known_causes() -> set[str]:
    """Return the codes of all errors, and the rules of the guard."""
    classes: list[type] = [BrokerError, ModelError, ProcessorError]
    for one in classes:
        classes.extend(one.__subclasses__())
    return {code for one in classes if isinstance(code := getattr(one, "code", ""), str)} | RULES


def print_refused(result: RedriveResult) -> None:
    """Say on standard error which letters cannot be sent back, and why."""
    for reason in result.refused[:MAX_REASONS]:
        stderr.print(f"not sent: {reason}", highlight=False, markup=False)
    if len(result.refused) > MAX_REASONS:
        stderr.print(f"not sent: {len(result.refused) - MAX_REASONS:,} more", highlight=False)


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
