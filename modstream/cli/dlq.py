"""`modstream dlq`: list, show and redrive dead letters."""

from base64 import b64encode
from itertools import islice
from typing import Annotated, Any

import typer

from modstream.broker.wire.dead_letters import read_attempts, read_cause
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import CONNECT_ERROR_PREFIX
from modstream.cli.letters import (
    DEAD_LETTER_TERMS,
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
from modstream.processors.redrive.selection import (
    MAX_ATTEMPTS,
    LetterFilter,
    group_letters,
    read_dead_letter,
)
from modstream.settings import load_settings

CauseOption = Annotated[
    str | None,
    typer.Option(
        help="Only dead letters with this cause: its code, or the class of its error.",
        show_default=False,
    ),
]


def list_(
    stream: StreamArgument = None,
    max_attempts: MaxAttemptsOption = MAX_ATTEMPTS,
    as_json: JsonOption = False,
) -> None:
    """List a stream's dead letters by cause, with their number and their state.

    Times are those of the requests. `due` letters can be redriven, `redriven` ones have been sent
    back already, `exhausted` ones have reached the maximum of attempts, `foreign` ones do not come
    from the stream's requests, and `unsendable` ones have not the whole request, nor has its topic.
    """
    settings = load_settings(stream=stream)
    with open_redrive(settings) as redrive:
        letters = redrive.scan(max_attempts)
    groups = [
        {**group._asdict(), "first": format_time(group.first), "last": format_time(group.last)}
        for group in group_letters(letters.all, letters.classifier)
    ]
    empty = f"no dead letters in {settings.topics().dlq}"
    print_rows(groups, as_json=as_json, empty=empty, drop=("stage", "topic", "first"))


def show(
    which: Annotated[
        str, typer.Argument(help="A cause, or one dead letter as `topic:partition:offset`.")
    ],
    stream: StreamArgument = None,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_LIMIT, help="Maximum number of letters to show.")
    ] = 20,
    max_bytes: MaxBytesOption = 500,
    as_json: JsonOption = False,
) -> None:
    """Show dead letters with cause, headers, key and value; unprintable bytes are escaped."""
    settings = load_settings(stream=stream)
    selection = LetterFilter.parse(which)
    with open_redrive(settings) as redrive:
        records = list(islice(redrive.records(selection), limit))
        if not records:
            check_unmatched(redrive.scan().all, selection, redrive.kind.topic, DEAD_LETTER_TERMS)
    letters = [describe_letter(record, max_bytes) for record in records]
    if as_json:
        print_json(letters)
        return
    for letter in letters:
        letter.pop("value_base64")
        cause, headers = letter.pop("cause"), letter.pop("headers")
        fields = {**letter, **cause, **headers}
        table = [{"": name, "letter": value} for name, value in fields.items()]
        print_rows(table, as_json=False, empty="")
    if not letters:
        stderr.print(f"no dead letter {which} in {settings.topics().dlq}", highlight=False)


def redrive(
    stream: StreamArgument = None,
    cause: CauseOption = None,
    letter: Annotated[
        str | None,
        typer.Option(
            help="Only this dead letter, as `topic:partition:offset`.", show_default=False
        ),
    ] = None,
    max_attempts: MaxAttemptsOption = MAX_ATTEMPTS,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Send dead letters back, unchanged, to the topic they came from, each of them once.

    Prints the number of requests sent and the states in which the selected letters were found.
    Letters that were redriven already are not sent again, so an interrupted redrive can be run
    again. A letter whose value was cut is sent from its original in the topic of requests; where
    that is not possible, the reason is printed. Starting a second redrive at the same time ends
    the first one.
    """
    settings = load_settings(stream=stream)
    selection = LetterFilter(cause, letter, max_attempts)
    transactional_id = settings.topics().group("redrive")
    with open_redrive(settings) as redriver:
        result = send_back(
            redriver, selection, transactional_id, DEAD_LETTER_TERMS, dry_run=dry_run
        )
    print_refused(result)
    print_counts({"sent": result.sent, **result.states_before}, as_json=as_json)


def describe_original(record: Record) -> str | None:
    """Return where the whole value of a cut dead letter is; None if the letter is not cut."""
    original = read_dead_letter(record).original
    return None if original is None else f"{original.size:,} bytes at {original}"


def describe_letter(record: Record, max_bytes: int) -> dict[str, Any]:
    """Return a dead letter's fields, with at most `max_bytes` of each header, key and value."""
    value = record.value
    return {
        "letter": record.position,
        "time": format_time(record.timestamp),
        "attempts": read_attempts(record),
        "cause": {
            name: escape_bytes(text.encode(), max_bytes)
            for name, text in read_cause(record).items()
        },
        "headers": {
            escape_bytes(name.encode(), max_bytes): escape_bytes(data, max_bytes)
            for name, data in record.headers
            if not name.startswith(CONNECT_ERROR_PREFIX)
        },
        "key": escape_bytes(record.key, max_bytes),
        "bytes": None if value is None else len(value),
        "original": describe_original(record),
        "value": escape_bytes(value, max_bytes),
        "value_base64": None if value is None else b64encode(value[:max_bytes]).decode(),
    }
