"""`modstream batch-predict`: a table in, a table of predictions out, without workers."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from modstream.cli.names import open_models
from modstream.cli.options import JsonOption, check_model
from modstream.cli.output import open_progress, print_rows, stderr
from modstream.errors import LibraryMissing
from modstream.models.registry.refs import CHAMPION
from modstream.settings import load_settings


def batch_predict(
    table: Annotated[
        Path,
        typer.Argument(
            help="The rows: a Parquet file, a CSV file with a header, or a folder of Parquet files."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--to", metavar="FILE", dir_okay=False, help="The Parquet file to write."),
    ],
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
    version: Annotated[
        str, typer.Option("--version", help="The version: a number or an alias.")
    ] = CHAMPION,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            help="A column that is copied beside the predictions, such as the key of each row; may"
            " be repeated.",
            metavar="COLUMN",
            show_default=False,
        ),
    ] = None,
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Load the version, a number, from the folder of backups."),
    ] = False,
    engine: Annotated[
        Literal["duckdb", "ray"],
        typer.Option("--on", help="What runs it: this process, or Ray."),
    ] = "duckdb",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes under Ray; by default one for each core but one.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Predict all rows of a table by a published version, in this process.

    Neither Kafka nor workers are needed. The answers are what a worker
    would answer; the file appears when it is complete. Exits with code 1 if
    a row got no prediction.
    """
    if any(find_spec(name) is None for name in ("duckdb", "pyarrow")):
        raise LibraryMissing("batch prediction", "batch")
    from modstream.batch_prediction.predictor import OWN_COLUMNS  # noqa: PLC0415 - an extra
    from modstream.batch_prediction.run import BatchPrediction  # noqa: PLC0415
    from modstream.batch_prediction.source_table import SourceTable  # noqa: PLC0415
    from modstream.batch_prediction.version_files import (  # noqa: PLC0415
        fetch_version,
        read_version,
    )

    kept = tuple(dict.fromkeys(keep or ()))
    if taken := [name for name in kept if name in OWN_COLUMNS]:
        raise typer.BadParameter(f"the answers have a column {taken[0]} of their own")
    settings = load_settings()
    name = model or settings.models[0]
    ref: int | str = int(version) if version.isdecimal() else version
    if offline:
        files = read_version(settings, name, ref)
    else:
        with open_models(settings) as registry:
            files = fetch_version(registry, settings, name, ref)
    source = SourceTable(table, files.card.input_schema)
    source.require(kept)
    columns = (TextColumn("rows"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with open_progress(*columns) as progress:
        task = progress.add_task("rows", total=source.count_rows())
        report = BatchPrediction(source, files, kept, engine, workers).run(
            output, lambda rows: progress.update(task, completed=rows)
        )
    facts = {
        "rows": report.rows,
        "predicted": report.predicted,
        "refused": dict(report.refused) if as_json else report.refused.total(),
        "model": files.card.name,
        "version": files.card.version,
        "seconds": round(report.seconds, 3),
        "rows_per_second": round(report.rows_per_second),
        "file": str(output),
    }
    print_rows([facts], as_json=as_json, empty="")
    if report.refused:
        codes = ", ".join(f"{count:,} {code}" for code, count in report.refused.most_common())
        stderr.print(f"refused: {codes}", highlight=False)
        raise typer.Exit(1)
