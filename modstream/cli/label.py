"""`modstream label`: sends true labels and prints what became of them."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from modstream.broker.wire.bounds import LAST_REVISION
from modstream.broker.wire.contracts import Label
from modstream.cli.answer_printer import print_line
from modstream.cli.input_rows import STANDARD_INPUT, open_input, read_rows
from modstream.cli.label_values import LabelParser, column_parser, make_label
from modstream.cli.options import check_stream
from modstream.cli.outcome_text import is_lost, outcome_document, outcome_lines
from modstream.cli.output import printable, stderr
from modstream.cli.predict_arguments import AskedModel, find_card, load_stream_settings
from modstream.cli.servers import require_stream
from modstream.cli.time_options import time_option
from modstream.errors import InvalidInputLine, InvalidValue
from modstream.operations.label_outcomes import LabelOutcome, LabelSender, LabelState
from modstream.operations.privacy.sealing import request_sealer
from modstream.producers.ports import Sealer
from modstream.registry.access import open_registry

KeyedLabel = tuple[Label, str | None]
"""A label, and the key of its request, or None if that is the id."""


def label(
    stream: Annotated[str, typer.Argument(help="The stream.", callback=check_stream)],
    id_or_file: Annotated[
        str,
        typer.Argument(
            metavar="ID|FILE|-",
            help="The request's id; without a label, a file of labels: CSV with the columns id and"
            " label (and row, revision, event_time, key), or JSON lines. - is standard input.",
        ),
    ],
    value: Annotated[
        str | None, typer.Argument(metavar="LABEL", help="The label.", show_default=False)
    ] = None,
    row: Annotated[
        int | None,
        typer.Option(
            min=0, help="The row, from 0, if the request has several.", show_default=False
        ),
    ] = None,
    revision: Annotated[
        int, typer.Option(min=0, help="A higher revision corrects a lower one.")
    ] = 0,
    correct: Annotated[
        bool,
        typer.Option(
            "--correct", help="Correct the label, whatever its revision is, by the highest one."
        ),
    ] = False,
    event_time: Annotated[
        int | None,
        time_option("--event-time", "When the label became known; by default now."),
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="The request's key, if it is not the id.", show_default=False)
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for the joiner; 0 only sends.")
    ] = 5.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for each label.")
    ] = False,
) -> None:
    """Send true labels of earlier requests, and print whether they were joined.

    A label goes to the partition of its request. One that arrives before
    its prediction waits for it. Exits with code 1 if a label cannot be joined.
    """
    settings = load_stream_settings(stream)
    require_stream(settings)
    with open_registry(settings) as registry:
        parser = LabelParser(find_card(registry, AskedModel(settings)))
    problems: list[InvalidInputLine] = []
    if correct and (value is None or revision):
        raise typer.BadParameter("--correct is for one label, without --revision")
    if value is None:
        if id_or_file != STANDARD_INPUT and not Path(id_or_file).is_file():
            raise typer.BadParameter(f"{id_or_file} is not a file: give its label after an id")
        labels = read_labels(id_or_file, parser, problems)
    else:
        number = LAST_REVISION if correct else revision
        fields = {"row": row, "revision": number, "event_time": event_time}
        labels = iter(
            [(make_label({"id": id_or_file, "label": parser.parse(value)} | fields), key)]
        )
    labels = with_sent_keys(labels, request_sealer(settings))
    with LabelSender(settings.connection, settings.topics()) as sender:
        sent = sender.send(labels)
        outcomes = list(sender.outcomes(timeout)) if timeout else []
        is_unread = any(one.state == LabelState.UNREAD for one in outcomes)
        has_joiner = not is_unread or bool(sender.joiners())
    warn_of_unlearnable(outcomes, parser)
    if as_json:
        for outcome in outcomes:
            print_line(json.dumps(outcome_document(outcome)))
    else:
        if len(outcomes) != 1:
            stderr.print(f"{sent:,} {'label' if sent == 1 else 'labels'} sent", highlight=False)
        for line in outcome_lines(outcomes, stream, has_joiner=has_joiner):
            print_line(line)
    if problems:
        raise problems[0]
    if any(is_lost(outcome) for outcome in outcomes):
        raise typer.Exit(1)


def with_sent_keys(labels: Iterator[KeyedLabel], sealer: Sealer | None) -> Iterator[KeyedLabel]:
    """Yield labels with the keys that their requests were sent with."""
    for label, key in labels:
        yield label, key if sealer is None else sealer.person(key or label.id).key


def read_labels(
    source: str, parser: LabelParser, problems: list[InvalidInputLine]
) -> Iterator[KeyedLabel]:
    """Yield the labels of a file up to the first invalid line, whose error is appended."""
    try:
        with open_input(source) as lines:
            for number, row in read_rows(lines, column_parser(parser)):
                try:
                    label = make_label(row)
                except InvalidValue as error:
                    raise InvalidInputLine(number, str(error)) from None
                yield label, row.get("key")
    except InvalidInputLine as error:
        problems.append(error)


def warn_of_unlearnable(outcomes: Iterable[LabelOutcome], parser: LabelParser) -> None:
    """Print the first label that the model of its prediction cannot learn, and why."""
    for outcome in outcomes:
        problem = parser.problem(outcome.label.label)
        if problem is not None and any(parser.is_of(one.model) for one in outcome.predictions):
            text = f"warning: {printable(outcome.label.id)}: {printable(problem)}"
            stderr.print(text, markup=False, highlight=False)
            return
