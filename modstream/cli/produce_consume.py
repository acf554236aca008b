"""`produce`, `consume`, `load`: what goes into a stream and what comes out."""

import json
import sys
from collections.abc import Iterator
from secrets import token_hex
from typing import Annotated, Any, Literal

import typer
from pydantic import ValidationError
from rich.progress import Progress

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import Reader
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Contract, Label, Request
from modstream.broker.wire.dead_letters import cause_of
from modstream.broker.wire.records import Outgoing, Record
from modstream.cli.options import Stream
from modstream.cli.output import out, say
from modstream.errors import InvalidInputLine
from modstream.process.signals import stop_signals
from modstream.settings import load_settings

Carried = Literal["requests", "labels"]
Topic = Literal[
    "requests", "predictions", "labels", "feedback", "unjoined", "quarantine", "dlq", "metrics",
    "fences", "model_events",
]  # fmt: skip


def produce(
    stream: Stream = None,
    file: Annotated[
        typer.FileText | None,
        typer.Option("--file", "-f", help="JSON lines; standard input by default."),
    ] = None,
    to: Annotated[Carried, typer.Option(help="What the lines are.")] = "requests",
) -> None:
    """Send JSON lines: requests, bare rows (`{"feature": value, ...}`), or labels.

    A bare row gets the id `<run>-<line>`, with a random name for the run. Invalid lines stop the
    command before they are sent.
    """
    settings = load_settings(stream=stream)
    topics = settings.topics()
    topic = topics.requests if to == "requests" else topics.labels
    sent = 0
    with (
        Publisher(settings.connection, "modstream-produce") as publisher,
        Progress(console=say, transient=True) as progress,
    ):
        task = progress.add_task("sending", total=None)
        for message in messages(file or sys.stdin, to):
            publisher.send(Outgoing(topic, message.id.encode(), encode(message)))
            sent += 1
            progress.update(task, completed=sent, description=f"sending, {sent:,} so far")
        publisher.flush()
    say.print(f"{sent:,} {to} sent to {topic}")


def messages(lines: Iterator[str] | Any, to: Carried) -> Iterator[Request | Label]:  # noqa: ANN401
    """Read JSON lines as the messages that they are.

    Raises:
        InvalidInputLine: a line is not; says which and why.
    """
    kind: type[Contract] = Request if to == "requests" else Label
    run = token_hex(4)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
            if to == "requests" and not {"features", "inputs"} & set(document):
                document = {"id": f"{run}-{number}", "features": document}
            yield kind.model_validate(document)  # type: ignore[misc]
        except ValidationError as error:
            raise InvalidInputLine(number, error.errors()[0]["msg"]) from None
        except (ValueError, TypeError) as error:
            raise InvalidInputLine(number, str(error)) from None


def consume(
    stream: Stream = None,
    topic: Annotated[Topic, typer.Option(help="Which of the stream's topics.")] = "predictions",
    begin: Annotated[
        Literal["beginning", "end"], typer.Option("--from", help="Where to begin.")
    ] = "beginning",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Records to print at most.", show_default=False)
    ] = None,
    follow: Annotated[bool, typer.Option(help="Wait for more at the end.")] = False,
    with_record: Annotated[
        bool, typer.Option("--record", help="Print where each record lies, its key and headers.")
    ] = False,
) -> None:
    """Print the records of a topic, committed ones only, one JSON line each."""
    settings = load_settings(stream=stream)
    name: str = getattr(settings.topics(), topic)
    with stop_signals() as stop, Reader(settings.connection, [name], begin) as reader:
        printed = 0
        while not stop.is_set() and (follow or begin == "end" or not reader.at_end()):
            for record in reader.poll():
                out.out(line(record, with_record=with_record or topic == "dlq"), highlight=False)
                printed += 1
                if printed == limit:
                    return


def line(record: Record, *, with_record: bool) -> str:
    """One record as a line: its value, or all that is known of it."""
    value = (record.value or b"").decode(errors="replace")
    if not with_record:
        return value
    known = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": None if record.key is None else record.key.decode(errors="replace"),
        "headers": {name: (data or b"").decode(errors="replace") for name, data in record.headers},
        "cause": cause_of(record) or None,
        "value": value,
    }
    return json.dumps({name: found for name, found in known.items() if found is not None})
