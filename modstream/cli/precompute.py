"""`modstream precompute`: has all rows of a table predicted, each once."""

import re
from pathlib import Path
from typing import Annotated

import typer

from modstream.cli.names import open_models
from modstream.cli.options import JsonOption, StreamArgument, check_model
from modstream.cli.output import stderr
from modstream.cli.precompute_job import PrecomputeJob, print_result, print_status
from modstream.cli.precompute_notes import note_stale, note_store
from modstream.cli.precompute_source import find_source, find_stale
from modstream.cli.servers import require_stream
from modstream.models.registry.refs import CHAMPION
from modstream.operations.precompute.output_file import RunAnswers, write_parquet
from modstream.operations.precompute.sender import RunLimits
from modstream.operations.precompute.store_access import open_prediction_store
from modstream.settings import load_settings

RUN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_run(name: str | None) -> str | None:
    """Return the name of a run as it is.

    Raises:
        typer.BadParameter: no run can have this name.
    """
    if name is not None and not RUN_NAME.fullmatch(name):
        raise typer.BadParameter("use at most 100 letters, digits and . _ - for the name of a run")
    return name


def precompute(
    stream: StreamArgument = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="The model; by default the primary model.",
            show_default=False,
            callback=check_model,
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="The rows: a file (Parquet, CSV with a header, JSON lines or a JSON list), - for"
            " standard input, topic:NAME, or sql:URL#QUERY.",
            show_default=False,
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="The column with the key of each row, by which predictions are looked up; by"
            " default the key of a topic's records.",
            show_default=False,
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            help="The name of the run. Called again, a run continues; one that is complete is not"
            " repeated. Without a name, a complete run is repeated.",
            show_default=False,
            callback=check_run,
        ),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin the run anew, whatever was done.")
    ] = False,
    stale: Annotated[
        bool,
        typer.Option(
            "--stale",
            help="Predict the keys in the store again that another version than the champion"
            " predicted, from the features that are stored with them.",
        ),
    ] = False,
    status: Annotated[
        bool,
        typer.Option("--status", help="Only count the keys in the store, by version."),
    ] = False,
    version: Annotated[
        str, typer.Option("--version", help="The version to ask: a number or an alias.")
    ] = CHAMPION,
    output: Annotated[
        Path | None,
        typer.Option("--to", help="Also write the answers to this Parquet file."),
    ] = None,
    window: Annotated[
        int, typer.Option(min=1, help="Maximum number of requests without an answer.")
    ] = RunLimits().window,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds without any answer after which it gives up.")
    ] = RunLimits().timeout,
    as_json: JsonOption = False,
) -> None:
    """Have all rows of a table predicted by a stream's workers, each row once.

    It can be killed at any time: the same command continues where it was.
    `modstream materializer` keeps the newest prediction of each key in a
    store, which `modstream lookup` reads. Exits with code 1 if a row got no
    prediction.
    """
    settings = load_settings(stream=stream)
    if sum([source is not None, stale, status]) != 1:
        raise typer.BadParameter("give one of --from, --stale and --status")
    asked: int | str = int(version) if version.isdecimal() else version
    with open_models(settings) as registry:
        card = registry.card(model or settings.models[0], asked)
    if status:
        print_status(settings, card, as_json=as_json)
        return
    require_stream(settings)
    limits = RunLimits(window=window, timeout=timeout, max_request_bytes=settings.max_request_bytes)
    job = PrecomputeJob(settings, card, asked, limits, run, is_anew=restart)
    if stale:
        with open_prediction_store(settings) as store:
            wanted, rows = find_stale(store, card, asked)
            found, checkpoint = job.run(wanted)
            note_stale(rows)
    else:
        wanted, file = find_source(settings, source or "", key, card, asked)
        found, checkpoint = job.run(wanted, None if file is None else file.open)
    if output is not None:
        answers = RunAnswers(settings.connection, settings.topics(), found.plan, checkpoint)
        count = write_parquet(answers.read, output)
        stderr.print(f"{count:,} answers written to {output}", highlight=False)
    print_result(found, checkpoint, as_json=as_json)
    note_store(settings)
    if checkpoint.progress.refused:
        raise typer.Exit(1)
