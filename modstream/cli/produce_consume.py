"""`modstream produce` sends messages to a stream, `modstream consume` prints a topic's records."""

import json
import sys
from collections.abc import Iterable, Iterator
from secrets import token_hex
from typing import Annotated, Literal

import typer
from pydantic import ValidationError
from rich.progress import Progress

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import Reader
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Label, Request
from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.cli.options import StreamArgument
from modstream.cli.output import stderr, stdout
from modstream.errors import InvalidInputLine
from modstream.process.signals import stop_signals
from modstream.settings import load_settings

MessageKind = Literal["requests", "labels"]
TopicName = Literal[
    "requests", "predictions", "labels", "feedback", "unjoined", "quarantine", "dlq", "metrics",
    "version_markers", "model_events",
]  # fmt: skip


def produce(
    stream: StreamArgument = None,
    file: Annotated[
        typer.FileText | None,
        typer.Option("--file", "-f", help="A file of JSON lines; by default standard input."),
    ] = None,
    to: Annotated[MessageKind, typer.Option(help="The kind of messages in the file.")] = "requests",
) -> None:
    """Send JSON lines: requests, bare rows (`{"feature": value, ...}`), or labels.

    A bare row gets the id `<run>-<line>`, with a random name for the run. The command stops at the
    first invalid line; the lines before it have been sent.
    """
    settings = load_settings(stream=stream)
    topics = settings.topics()
    topic = topics.requests if to == "requests" else topics.labels
    sent = 0
    with (
        Publisher(settings.connection, "modstream-produce") as publisher,
        Progress(console=stderr, transient=True) as progress,
    ):
        task = progress.add_task("sending", total=None)
        for message in parse_messages(file or sys.stdin, to):
            publisher.send(ProducerRecord(topic, message.id.encode(), encode(message)))
            sent += 1
            progress.update(task, completed=sent, description=f"sending, {sent:,} so far")
        publisher.flush()
    stderr.print(f"{sent:,} {to} sent to {topic}")


def parse_messages(lines: Iterable[str], to: MessageKind) -> Iterator[Request | Label]:
    """Parse JSON lines as requests or labels; empty lines are skipped.

    Raises:
        InvalidInputLine: a line is not a valid message; names the line and the reason.
    """
    contract: type[Request | Label] = Request if to == "requests" else Label
    run_id = token_hex(4)
    for line_number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
            if to == "requests" and not {"features", "inputs"} & set(document):
                document = {"id": f"{run_id}-{line_number}", "features": document}
            yield contract.model_validate(document)
        except ValidationError as error:
            raise InvalidInputLine(line_number, error.errors()[0]["msg"]) from None
        except (ValueError, TypeError) as error:
            raise InvalidInputLine(line_number, str(error)) from None


def consume(
    stream: StreamArgument = None,
    topic: Annotated[TopicName, typer.Option(help="One of the stream's topics.")] = "predictions",
    start: Annotated[
        Literal["beginning", "end"], typer.Option("--from", help="Where to start reading.")
    ] = "beginning",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of records.", show_default=False)
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Wait for more records at the end.")
    ] = False,
    with_record: Annotated[
        bool,
        typer.Option("--record", help="Also print each record's position, time, key and headers."),
    ] = False,
) -> None:
    """Print the committed records of a topic, one JSON line per record."""
    settings = load_settings(stream=stream)
    name: str = getattr(settings.topics(), topic)
    with stop_signals() as stop, Reader(settings.connection, [name], start) as reader:
        printed = 0
        while not stop.is_set() and (follow or start == "end" or not reader.at_end()):
            for record in reader.poll():
                line = format_record(record, with_record=with_record or topic == "dlq")
                stdout.out(line, highlight=False)
                printed += 1
                if printed == limit:
                    return


def format_record(record: Record, *, with_record: bool) -> str:
    """Return a record's value, or all its fields as JSON, on one line."""
    value = (record.value or b"").decode(errors="replace")
    if not with_record:
        return value
    fields = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": None if record.key is None else record.key.decode(errors="replace"),
        "headers": {name: (data or b"").decode(errors="replace") for name, data in record.headers},
        "cause": read_cause(record) or None,
        "value": value,
    }
    return json.dumps({name: field for name, field in fields.items() if field is not None})
