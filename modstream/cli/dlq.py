"""`modstream dlq`: list, show and redrive dead letters."""

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

import typer
from rich.progress import Progress

from modstream.broker.client.transactional_publisher import TransactionalPublisher
from modstream.broker.wire.dead_letters import attempts_of, cause_of
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import CONNECT
from modstream.cli.options import AsJson, Stream
from modstream.cli.output import print_json, rows, say
from modstream.operations.redrive import Outcome, Redrive
from modstream.processors.redrive.selection import MOST_ATTEMPTS, Choice, grouped
from modstream.settings import Settings, load_settings

Cause = Annotated[
    str | None,
    typer.Option(help="Letters of this cause only: its code, or its error.", show_default=False),
]
YEAR_10000 = 253_402_300_800_000
"""Milliseconds since the epoch; whoever made a record could give it any time."""
MostAttempts = Annotated[
    int, typer.Option(min=1, help="Letters that were tried so often stay where they are.")
]


def list_(
    stream: Stream = None,
    most_attempts: MostAttempts = MOST_ATTEMPTS,
    as_json: AsJson = False,
) -> None:
    """List a stream's dead letters by cause: how many, and how many were redriven already.

    Times are those of the requests. `due` letters would be redriven, `exhausted` ones were tried
    too often, `foreign` ones did not come from the stream's requests.
    """
    settings = load_settings(stream=stream)
    with looking(settings) as desk:
        letters = desk.look(most_attempts)
    found = [
        {**group._asdict(), "first": when(group.first), "last": when(group.last)}
        for group in grouped(letters.all, letters.sorter)
    ]
    rows(found, as_json=as_json, empty=f"no dead letters in {settings.topics().dlq}")


def show(
    which: Annotated[
        str, typer.Argument(help="A cause, or one letter as `topic:partition:offset`.")
    ],
    stream: Stream = None,
    limit: Annotated[int, typer.Option(min=1, help="Letters to show at most.")] = 20,
    most_bytes: Annotated[
        int, typer.Option("--bytes", min=0, help="Bytes of each key, value and header to show.")
    ] = 500,
    as_json: AsJson = False,
) -> None:
    """Show dead letters with all that is known; what is not plain text is shown escaped."""
    settings = load_settings(stream=stream)
    choice = Choice.named(which)
    with looking(settings) as desk:
        records = list(islice(desk.records(choice), limit))
    shown = [described(record, most_bytes) for record in records]
    if as_json:
        print_json(shown)
        return
    for letter in shown:
        letter.pop("value_base64")
        flat = {**letter, **letter.pop("cause"), **letter.pop("headers")}
        facts = [{"": name, "letter": value} for name, value in flat.items()]
        rows(facts, as_json=False, empty="")
    if not shown:
        say.print(f"no dead letter {which} in {settings.topics().dlq}", highlight=False)


def redrive(
    stream: Stream = None,
    cause: Cause = None,
    letter: Annotated[
        str | None,
        typer.Option(help="This letter only: `topic:partition:offset`.", show_default=False),
    ] = None,
    most_attempts: MostAttempts = MOST_ATTEMPTS,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent, send nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters back to the topic they came from, as they were, each of them once.

    Prints how many were sent, and in what state the chosen letters were found before.
    What was redriven already is not sent again, so a redrive that was interrupted can be run
    again. A second one at the same time ends the first.
    """
    settings = load_settings(stream=stream)
    choice = Choice(cause, letter, most_attempts)
    with looking(settings) as desk:
        outcome = send_back(desk, choice, settings.topics().group("redrive"), dry_run=dry_run)
    report({"sent": outcome.sent, **outcome.found}, as_json=as_json)


def send_back(desk: Redrive, choice: Choice, name: str, *, dry_run: bool) -> Outcome:
    """Send what is chosen back under a transactional id, or only say what would be sent."""
    if dry_run:
        return Outcome(0, desk.look(choice.most_attempts).states(choice))
    with TransactionalPublisher(desk.connection, name) as publisher:
        return desk.run(choice, publisher)


def report(counts: dict[str, int], *, as_json: bool) -> None:
    """Print one line of counts."""
    if as_json:
        print_json(counts)
        return
    rows([counts], as_json=False, empty="")


@contextmanager
def looking(
    settings: Settings, office: type[Redrive] = Redrive, doing: str = "reading letters"
) -> Iterator[Redrive]:
    """The stream's letters of one kind, with what is being done shown while it lasts."""
    with Progress(console=say, transient=True) as progress:
        task = progress.add_task(doing, total=None)

        def notice(doing: str, count: int) -> None:
            progress.update(task, description=f"{doing}, {count:,} so far")

        yield office(settings.connection, settings.topics(), notice)


def described(record: Record, most: int) -> dict[str, Any]:
    """A letter with all that is known of it, and at most so many bytes of each part."""
    value = record.value
    return {
        "letter": record.place,
        "time": when(record.timestamp),
        "attempts": attempts_of(record),
        "cause": {name: legible(fact.encode(), most) for name, fact in cause_of(record).items()},
        "headers": {
            legible(name.encode(), most): legible(data, most)
            for name, data in record.headers
            if not name.startswith(CONNECT)
        },
        "key": legible(record.key, most),
        "bytes": None if value is None else len(value),
        "value": legible(value, most),
        "value_base64": None if value is None else b64encode(value[:most]).decode(),
    }


def legible(data: bytes | None, most: int) -> str | None:
    """Bytes as text that can neither steer a terminal nor be mistaken for other bytes.

    Whatever is not printable UTF-8 is written as in a Python literal.
    """
    if data is None:
        return None
    text = data[:most].decode(errors="surrogateescape")
    return "".join(map(_plain, text)) + ("…" if len(data) > most else "")


def when(timestamp: int) -> str:
    """A time in ms since the epoch, UTC, as text; as it is where no calendar reaches it."""
    if not 0 <= timestamp < YEAR_10000:
        return str(timestamp)
    return f"{datetime.fromtimestamp(timestamp / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def _plain(character: str) -> str:
    if character == "\\":
        return r"\\"
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as `surrogateescape` keeps it
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
