"""`modstream predict`: sends rows as requests and prints the answers."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Annotated

import typer

from modstream.broker.wire.contracts import ErrorResponse, Request
from modstream.cli.answer_printer import AnswerPrinter
from modstream.cli.answers import describe_refusal
from modstream.cli.input_rows import NumberedRow, open_input, read_rows
from modstream.cli.options import check_model
from modstream.cli.output import printable, stderr
from modstream.cli.predict_arguments import (
    AskedModel,
    MakeRequest,
    find_card,
    load_stream_settings,
    request_maker,
    split_arguments,
)
from modstream.cli.row_values import RowParser
from modstream.cli.servers import require_stream
from modstream.errors import InvalidInputLine, InvalidValue, NoResponse
from modstream.models.errors import ModelError
from modstream.models.registry.errors import ModelNotFound
from modstream.models.registry.refs import CHAMPION
from modstream.models.registry.registry import Registry
from modstream.operations.privacy.sealing import request_sealer
from modstream.operations.unanswered import UnansweredRequest, diagnose
from modstream.producers.client.client import Client
from modstream.producers.client.request_window import RequestWindow
from modstream.producers.errors import ResponseTimeout
from modstream.registry.access import open_registry
from modstream.telemetry.traces.open import open_tracing


def predict(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="[STREAM] NAME=VALUE|FILE|-",
            help="The stream, by default the one in the settings; then the values of one row, or a"
            " file of rows: CSV with a header, JSON lines, or a JSON list. - is standard input.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="Ask only this model.", show_default=False, callback=check_model
        ),
    ] = None,
    version: Annotated[
        str, typer.Option("--version", help="The version to ask: a number or an alias.")
    ] = CHAMPION,
    key: Annotated[
        str | None,
        typer.Option(help="The key of the requests; by default the id.", show_default=False),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds to wait for each answer.")
    ] = 10.0,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also print what the worker did with each row.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for each row.")
    ] = False,
) -> None:
    """Send rows as requests and print the answers, in the order of the rows.

    Values are read as the model's card says. Each row becomes a request
    with an id, which `modstream label` takes. Exits with code 1 if a row
    got no prediction.
    """
    stream, texts, source = split_arguments(arguments)
    settings = load_stream_settings(stream)
    require_stream(settings)
    target = AskedModel(settings, model, int(version) if version.isdecimal() else version)
    with open_registry(settings) as registry:
        card = find_card(registry, target)
        parser = RowParser(card)
        make = request_maker(target, parser)
        printer = AnswerPrinter(registry, explain=explain, as_json=as_json)
        row = parser.parse(texts)
        with (
            open_tracing(settings, "client") as tracing,
            Client(
                settings.connection,
                settings.topics(),
                trace_send=tracing.sends(begins=True),
                sealer=request_sealer(settings),
            ) as client,
        ):
            models = target.models if explain else target.models[:1]
            window = RequestWindow(client, models, key=key, timeout=timeout)
            with diagnosed(target, registry, window):
                if source is not None:
                    predict_file(window, source, parser, make, printer)
                    return
                warn_of_unknown(parser, row)
                (answer,) = window.ask([make(1, row)])
        printer.print_one(answer, card)
    if isinstance(answer.response, ErrorResponse):
        raise NoResponse(f"{answer.response.id} {describe_refusal(answer.response)}")


def predict_file(
    window: RequestWindow, source: str, parser: RowParser, make: MakeRequest, printer: AnswerPrinter
) -> None:
    """Send the rows of a file and print a line for each.

    Raises:
        InvalidInputLine: a line is not a valid row; those before it were answered.
        typer.Exit: a row was refused.
    """
    problems: list[InvalidInputLine] = []
    counts: Counter[str] = Counter()
    started = monotonic()
    with open_input(source) as lines:
        requests = valid_requests(read_rows(lines, parser.parse), parser, make, problems)
        for answer in window.ask(requests):
            counts[type(answer.response).__name__] += 1
            printer.print_row(answer)
    refused = counts[ErrorResponse.__name__]
    total = counts.total()
    stderr.print(
        f"{total:,} {'row' if total == 1 else 'rows'} in {monotonic() - started:.1f} s:"
        f" {total - refused:,} predicted, {refused:,} refused",
        highlight=False,
    )
    if problems:
        raise problems[0]
    if refused:
        raise typer.Exit(1)


def valid_requests(
    rows: Iterable[NumberedRow],
    parser: RowParser,
    make: MakeRequest,
    problems: list[InvalidInputLine],
) -> Iterator[Request]:
    """Yield the requests of the rows before the first invalid one, whose error is appended."""
    try:
        for count, (line, row) in enumerate(rows, start=1):
            if count == 1:
                warn_of_unknown(parser, row)
            try:
                request = make(count, row)
            except InvalidValue as error:
                raise InvalidInputLine(line, str(error)) from None
            yield request
    except InvalidInputLine as error:
        problems.append(error)


def warn_of_unknown(parser: RowParser, names: Iterable[str]) -> None:
    """Print which names the model does not take; a worker ignores them."""
    unknown = parser.unknown(names)
    if unknown:
        shown = printable(", ".join(unknown[:10]))
        text = f"ignored, because the model takes {parser.names()}: {shown}"
        stderr.print(text, markup=False, highlight=False)


@contextmanager
def diagnosed(target: AskedModel, registry: Registry, window: RequestWindow) -> Iterator[None]:
    """Replace a timeout by an error that says why there is no response.

    Raises:
        NoResponse: a request got no response in time.
    """
    try:
        yield
    except ResponseTimeout as error:
        settings, waiting = target.settings, window.waiting_for
        record = None if waiting is None else waiting.record
        unanswered = UnansweredRequest(error.request_id, record, unpublished(target, registry))
        reason = diagnose(settings.connection, settings.topics(), unanswered)
        raise NoResponse(f"{error}: {reason}") from None


def unpublished(target: AskedModel, registry: Registry) -> list[str]:
    """Return the models that are asked and that the registry does not have."""
    missing = []
    for model in target.models:
        try:
            registry.resolve(model)
        except ModelNotFound:
            missing.append(model)
        except ModelError:
            continue
    return missing
