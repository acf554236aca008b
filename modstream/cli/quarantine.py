"""`modstream quarantine`: list, show and release rows that the guard refused."""

from itertools import islice
from typing import Annotated, Any

import typer

from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Quarantined
from modstream.broker.wire.dead_letters import attempts_of
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header
from modstream.cli.dlq import MostAttempts, legible, looking, report, send_back, when
from modstream.cli.options import AsJson, Stream
from modstream.cli.output import print_json, rows, say
from modstream.operations.redrive import Quarantine
from modstream.processors.redrive.selection import MOST_ATTEMPTS, Choice, grouped
from modstream.settings import load_settings


def list_(
    stream: Stream = None,
    most_attempts: MostAttempts = MOST_ATTEMPTS,
    as_json: AsJson = False,
) -> None:
    """List the rows that the guard refused, by rule: how many, and how many were released.

    Times are those of the feedback. `due` rows would be released, `exhausted` ones were tried too
    often, `final` ones have no way back: their id belongs to another row.
    """
    settings = load_settings(stream=stream)
    with looking(settings, Quarantine, "reading rows") as desk:
        letters = desk.look(most_attempts)
    found = [
        {
            "rule": group.cause,
            "model": group.stage,
            "rows": group.letters,
            "due": group.due,
            "released": group.redriven,
            "exhausted": group.exhausted,
            "final": group.foreign,
            "first": when(group.first),
            "last": when(group.last),
        }
        for group in grouped(letters.all, letters.sorter)
    ]
    rows(found, as_json=as_json, empty=f"no rows in {settings.topics().quarantine}")


def show(
    which: Annotated[str, typer.Argument(help="A rule, or one row as `topic:partition:offset`.")],
    stream: Stream = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows to show at most.")] = 20,
    most_bytes: Annotated[
        int, typer.Option("--bytes", min=0, help="Bytes of each key and feedback to show.")
    ] = 500,
    as_json: AsJson = False,
) -> None:
    """Show refused rows, why, and the feedback as it came; what is not plain text is escaped."""
    settings = load_settings(stream=stream)
    choice = Choice.named(which)
    with looking(settings, Quarantine, "reading rows") as desk:
        records = list(islice(desk.records(choice), limit))
    shown = [described(record, most_bytes) for record in records]
    if as_json:
        print_json(shown)
        return
    for row in shown:
        rows([{"": name, "row": value} for name, value in row.items()], as_json=False, empty="")
    if not shown:
        say.print(f"no row {which} in {settings.topics().quarantine}", highlight=False)


def release(
    stream: Stream = None,
    rule: Annotated[
        str | None, typer.Option(help="Rows that this rule refused only.", show_default=False)
    ] = None,
    row: Annotated[
        str | None,
        typer.Option(help="This row only: `topic:partition:offset`.", show_default=False),
    ] = None,
    most_attempts: MostAttempts = MOST_ATTEMPTS,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent, send nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send the feedback of refused rows back to be learned, as it was, each row once.

    A released row skips the rules that go by other rows (`outlier`, `loss`, `source`), never the
    others; if one of those refuses it again, it comes back here with one attempt more. What was
    released already is not sent again. A second release at the same time ends the first.
    """
    settings = load_settings(stream=stream)
    choice = Choice(rule, row, most_attempts)
    with looking(settings, Quarantine, "reading rows") as desk:
        outcome = send_back(desk, choice, settings.topics().group("release"), dry_run=dry_run)
    found = dict(outcome.found)
    counts = {"released": found.pop("redriven"), "final": found.pop("foreign")}
    report({"sent": outcome.sent, **found, **counts}, as_json=as_json)


def described(record: Record, most: int) -> dict[str, Any]:
    """A refused row with all that is known of it, and at most so many bytes of each part."""
    refused, original = decode(Quarantined, record.value), record.header(Header.ORIGINAL)
    return {
        "row": record.place,
        "time": when(record.timestamp),
        "rule": refused.rule,
        "detail": legible(refused.detail.encode(errors="replace"), most),
        "model": refused.model,
        "id": legible(refused.id.encode(errors="replace"), most),
        "source": "{topic}:{partition}:{offset}".format(**refused.source.model_dump()),
        "attempts": attempts_of(record),
        "key": legible(record.key, most),
        "bytes": None if original is None else len(original),
        "feedback": legible(original, most),
    }
