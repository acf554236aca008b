"""`modstream produce` sends messages to a stream, `modstream consume` prints a topic's records."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from secrets import token_hex
from time import time
from typing import Annotated, Literal

import typer
from pydantic import ValidationError

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import Reader, StartPosition
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contract_errors import describe
from modstream.broker.wire.contracts import Label, Request
from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.cli.answer_printer import print_line
from modstream.cli.options import StreamArgument
from modstream.cli.output import open_progress, print_json, printable, stderr, stdout
from modstream.cli.record_cells import COLUMNS, record_cells
from modstream.cli.servers import require_stream
from modstream.cli.stream_table import StreamTable
from modstream.cli.time_options import format_time, parse_time
from modstream.errors import InvalidInputLine
from modstream.process.signals import stop_signals
from modstream.settings import load_settings

MessageKind = Literal["requests", "labels"]
TopicName = Literal[
    "requests", "predictions", "labels", "feedback", "unjoined", "quarantine", "dlq", "metrics",
    "version_markers", "inferences", "model_events",
]  # fmt: skip

SHOWN_IDS = 10
"""Number of ids that `produce` prints as text."""
MAX_POLL = 1000
"""Maximum number of records that `consume` reads at once."""


def produce(
    stream: StreamArgument = None,
    file: Annotated[
        typer.FileText | None,
        typer.Option(
            "--file",
            "-f",
            encoding="utf-8",
            errors="surrogateescape",
            help="A file of JSON lines; by default standard input.",
        ),
    ] = None,
    to: Annotated[MessageKind, typer.Option(help="The kind of messages in the file.")] = "requests",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print all ids, in one JSON document.")
    ] = False,
) -> None:
    """Send JSON lines: requests, bare rows by name, or labels; print their ids.

    A bare row gets the id `<run>-<line>`, with a random name for the run. The
    command stops at the first invalid line; the lines before it have been sent.
    """
    settings = load_settings(stream=stream)
    require_stream(settings)
    topics = settings.topics()
    topic = topics.requests if to == "requests" else topics.labels
    sent = 0
    ids: list[str] = []
    problem: InvalidInputLine | None = None
    with (
        Publisher(settings.connection, "modstream-produce") as publisher,
        open_progress() as progress,
    ):
        task = progress.add_task("sending", total=None)
        try:
            for message in parse_messages(file or sys.stdin, to):
                publisher.send(ProducerRecord(topic, message.id.encode(), encode(message)))
                sent += 1
                if as_json or sent <= SHOWN_IDS:
                    ids.append(message.id)
                progress.update(task, completed=sent, description=f"sending, {sent:,} so far")
        except InvalidInputLine as error:
            problem = error
        publisher.flush()
    if as_json:
        print_json({"topic": topic, "sent": sent, "ids": ids})
    else:
        for request_id in ids:
            print_line(printable(request_id))
    kind = to if sent != 1 else to.removesuffix("s")
    more = f"; --json prints all ids, not only the first {SHOWN_IDS}" if sent > len(ids) else ""
    stderr.print(f"{sent:,} {kind} sent to {topic}{more}", highlight=False)
    if problem is not None:
        raise problem


def parse_messages(lines: Iterable[str], to: MessageKind) -> Iterator[Request | Label]:
    """Parse JSON lines as requests or labels; empty lines are skipped.

    Raises:
        InvalidInputLine: a line is not a valid message; names the line and the reason.
    """
    contract: type[Request | Label] = Request if to == "requests" else Label
    run_id = token_hex(8)
    for line_number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            document = json.loads(line.encode())
            if to == "requests" and not {"features", "inputs"} & set(document):
                document = {"id": f"{run_id}-{line_number}", "features": document}
            yield contract.model_validate(document)
        except ValidationError as error:
            raise InvalidInputLine(line_number, describe(error, document)) from None
        except UnicodeError:
            raise InvalidInputLine(line_number, "it is not UTF-8") from None
        except RecursionError:
            raise InvalidInputLine(line_number, "it is nested too deeply") from None
        except (ValueError, TypeError) as error:
            raise InvalidInputLine(line_number, str(error)) from None


def consume(
    stream: StreamArgument = None,
    topic: Annotated[TopicName, typer.Option(help="One of the stream's topics.")] = "predictions",
    start: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="now|beginning|TIME",
            help="Where to start: now, and follow; or in the past, and read to the end: beginning,"
            " a date, or an age as 2h.",
        ),
    ] = "now",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of records.", show_default=False)
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Wait for more records at the end.")
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print the values of the records, one line each: their very bytes, but on a"
            " terminal, where control characters are escaped.",
        ),
    ] = False,
    with_record: Annotated[
        bool,
        typer.Option(
            "--record", help="Print JSON with each record's position, time, key and headers."
        ),
    ] = False,
) -> None:
    """Print the records of a topic: those that arrive from now on, or earlier ones.

    Columns for which the terminal is too narrow are left out; no value is cut.
    """
    settings = load_settings(stream=stream)
    require_stream(settings)
    name: str = getattr(settings.topics(), topic)
    begin = start_position(start)
    follow = follow or begin == "end"
    position: StartPosition = "end"
    if isinstance(begin, int):
        position = Admin(settings.connection).offsets_since([name], begin)
    else:
        position = begin
    show = record_printer(topic, as_json=as_json, with_record=with_record)
    with stop_signals() as stop, Reader(settings.connection, [name], position) as reader:
        if position == "end":
            stderr.print(f"waiting for records in {name}; Ctrl-C ends", style="dim")
        printed = 0
        while not stop.is_set() and printed != limit and (follow or not reader.at_end()):
            room = MAX_POLL if limit is None else min(MAX_POLL, limit - printed)
            records = reader.poll(max_records=room)
            show(records)
            printed += len(records)
    if not printed and not follow:
        since = f" since {format_time(begin)} UTC" if isinstance(begin, int) else ""
        stderr.print(f"no records in {name}{since}", style="dim", highlight=False)


def start_position(text: str) -> Literal["beginning", "end"] | int:
    """Return where to start reading: an end of the topic, or a time in ms since the epoch.

    Raises:
        typer.BadParameter: the text is no such place.
    """
    if text in {"now", "end"}:
        return "end"
    if text == "beginning":
        return "beginning"
    try:
        return parse_time(text)
    except typer.BadParameter as error:
        raise typer.BadParameter(f"{error.message}; or now, or beginning") from None


def record_printer(
    topic: TopicName, *, as_json: bool, with_record: bool
) -> Callable[[Sequence[Record]], None]:
    """Return a function that prints records, in columns or as JSON."""
    if as_json or with_record:
        return partial(_print_as_json, with_record=with_record or topic == "dlq")
    columns = COLUMNS[topic]
    table = StreamTable(columns.columns, columns.priority, stdout.width)

    def show(records: Sequence[Record]) -> None:
        now = time()
        for line in table.lines(record_cells(columns, record, now) for record in records):
            print_line(line)

    return show


def _print_as_json(records: Sequence[Record], *, with_record: bool) -> None:
    for record in records:
        if with_record:
            print_line(format_record(record))
        else:
            stdout.print_exactly(record.value or b"")


def format_record(record: Record) -> str:
    """Return all fields of a record as JSON, on one line."""
    fields = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": None if record.key is None else record.key.decode(errors="replace"),
        "headers": {name: (data or b"").decode(errors="replace") for name, data in record.headers},
        "cause": read_cause(record) or None,
        "value": (record.value or b"").decode(errors="replace"),
    }
    return json.dumps({name: field for name, field in fields.items() if field is not None})
