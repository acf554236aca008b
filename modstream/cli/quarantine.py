"""`modstream quarantine`: list, show and release rows that the guard rejected."""

from itertools import islice
from typing import Annotated, Any

import typer

from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Quarantined
from modstream.broker.wire.dead_letters import read_attempts
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header
from modstream.cli.letters import (
    QUARANTINE_TERMS,
    DryRunOption,
    MaxAttemptsOption,
    MaxBytesOption,
    check_unmatched,
    escape_bytes,
    open_redrive,
    print_counts,
    print_refused,
    send_back,
)
from modstream.cli.options import MAX_LIMIT, JsonOption, StreamArgument
from modstream.cli.output import print_json, print_rows, stderr
from modstream.cli.time_options import format_time
from modstream.operations.redrive import quarantined_rows
from modstream.processors.redrive.selection import MAX_ATTEMPTS, LetterFilter, group_letters
from modstream.settings import load_settings

ACTIVITY = "reading quarantined rows"


def list_(
    stream: StreamArgument = None,
    max_attempts: MaxAttemptsOption = MAX_ATTEMPTS,
    as_json: JsonOption = False,
) -> None:
    """List the rows that the guard rejected by rule, with their number and their state.

    Times are those of the feedback. `due` rows can be released, `released` ones have been sent
    back already, `exhausted` ones have reached the maximum of attempts, and `final` ones cannot be
    released because their id belongs to another row.
    """
    settings = load_settings(stream=stream)
    with open_redrive(settings, quarantined_rows, ACTIVITY) as redrive:
        letters = redrive.scan(max_attempts)
    groups = [
        {
            "rule": group.cause,
            "model": group.stage,
            "rows": group.letters,
            "due": group.due,
            "released": group.redriven,
            "exhausted": group.exhausted,
            "final": group.foreign,
            "unsendable": group.unsendable,
            "first": format_time(group.first),
            "last": format_time(group.last),
        }
        for group in group_letters(letters.all, letters.classifier)
    ]
    empty = f"no rows in {settings.topics().quarantine}"
    print_rows(groups, as_json=as_json, empty=empty, drop=("first", "last"))


def show(
    which: Annotated[str, typer.Argument(help="A rule, or one row as `topic:partition:offset`.")],
    stream: StreamArgument = None,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_LIMIT, help="Maximum number of rows to show.")
    ] = 20,
    max_bytes: MaxBytesOption = 500,
    as_json: JsonOption = False,
) -> None:
    """Show rejected rows with reason, key and feedback; unprintable bytes are escaped."""
    settings = load_settings(stream=stream)
    selection = LetterFilter.parse(which)
    with open_redrive(settings, quarantined_rows, ACTIVITY) as redrive:
        records = list(islice(redrive.records(selection), limit))
        if not records:
            check_unmatched(redrive.scan().all, selection, redrive.kind.topic, QUARANTINE_TERMS)
    rows = [describe_row(record, max_bytes) for record in records]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        table = [{"": name, "row": value} for name, value in row.items()]
        print_rows(table, as_json=False, empty="")
    if not rows:
        stderr.print(f"no row {which} in {settings.topics().quarantine}", highlight=False)


def release(
    stream: StreamArgument = None,
    rule: Annotated[
        str | None, typer.Option(help="Only rows that this rule rejected.", show_default=False)
    ] = None,
    row: Annotated[
        str | None,
        typer.Option(help="Only this row, as `topic:partition:offset`.", show_default=False),
    ] = None,
    max_attempts: MaxAttemptsOption = MAX_ATTEMPTS,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Send the feedback of rejected rows back, unchanged, to be learned, each row once.

    A released row skips the rules that compare it with other rows (`outlier`, `loss`, `source`).
    If another rule rejects it again, it returns to the quarantine with one more attempt. Rows that
    were released already are not sent again. Starting a second release at the same time ends the
    first one.
    """
    settings = load_settings(stream=stream)
    selection = LetterFilter(rule, row, max_attempts)
    transactional_id = settings.topics().group("release")
    with open_redrive(settings, quarantined_rows, ACTIVITY) as redrive:
        result = send_back(redrive, selection, transactional_id, QUARANTINE_TERMS, dry_run=dry_run)
    states = dict(result.states_before)
    print_refused(result)
    renamed = {"released": states.pop("redriven"), "final": states.pop("foreign")}
    print_counts({"sent": result.sent, **states, **renamed}, as_json=as_json)


def describe_row(record: Record, max_bytes: int) -> dict[str, Any]:
    """Return a rejected row's fields, with at most `max_bytes` of each key, text and feedback."""
    rejected, feedback = decode(Quarantined, record.value), record.header(Header.ORIGINAL)
    return {
        "row": record.position,
        "time": format_time(record.timestamp),
        "rule": rejected.rule,
        "detail": escape_bytes(rejected.detail.encode(errors="replace"), max_bytes),
        "model": rejected.model,
        "id": escape_bytes(rejected.id.encode(errors="replace"), max_bytes),
        "source": "{topic}:{partition}:{offset}".format(**rejected.source.model_dump()),
        "attempts": read_attempts(record),
        "key": escape_bytes(record.key, max_bytes),
        "bytes": None if feedback is None else len(feedback),
        "feedback": escape_bytes(feedback, max_bytes),
    }
