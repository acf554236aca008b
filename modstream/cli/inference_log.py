"""`modstream log`: export, query, erasure and expiry of the inference log."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from pathlib import Path
from time import time
from typing import Annotated, Any, Literal

import typer

from modstream import logs
from modstream.broker.client.admin import Admin
from modstream.broker.errors import BrokerError
from modstream.broker.wire.topics import MS_PER_DAY
from modstream.cli.options import JsonOption, StreamArgument
from modstream.cli.output import print_rows, stderr
from modstream.cli.servers import require_kafka
from modstream.errors import KafkaUnreachable, UnknownName
from modstream.operations.inference_log.erasures import ChangedFile, erase, expire
from modstream.operations.inference_log.log_export import ExportLimits, ExportReport, export_log
from modstream.operations.inference_log.log_folder import LogFolder
from modstream.operations.inference_log.log_query import QueryResult, open_query
from modstream.process.signals import stop_signals
from modstream.report.csv_cells import spreadsheet_cells
from modstream.settings import Settings, load_settings
from modstream.terminal import escape_controls

TABLE_ROWS = 1_000
"""Number of rows that a table shows; the other formats print all."""
ALL_FORMATS = "--format csv or json prints all"

FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="DIR",
        file_okay=False,
        help="The folder of the files; by default one of the stream in the home directory.",
        show_default=False,
    ),
]


def export(
    stream: StreamArgument = None,
    folder: FolderOption = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on at the end of the topic until Ctrl-C.")
    ] = False,
    every: Annotated[
        float, typer.Option(min=0.1, help="Seconds after which rows are written at the latest.")
    ] = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Write the inference log of a stream to Parquet files, each record once.

    The next call continues where this one ends, also after a kill.
    """
    settings = load_settings(stream=stream)
    logs.configure(settings)
    topic = settings.topics().inferences
    if topic not in require_kafka(settings):
        remedy = (
            "set MODSTREAM_INFERENCE_LOG__ENABLED=true, create it with"
            f" `modstream topics create {settings.stream}`, and start the workers with that setting"
        )
        raise UnknownName("inference log", topic, (), remedy)
    limits, place = ExportLimits(seconds=every), log_folder(settings, folder)
    with stop_signals() as stop:
        report = export_log(settings.connection, topic, place, stop, limits, follows=follow)
    print_report(report, place, as_json=as_json)


def query(
    sql: Annotated[
        str, typer.Argument(help="A SELECT statement of the view `inferences`.", metavar="SQL")
    ],
    stream: StreamArgument = None,
    folder: FolderOption = None,
    form: Annotated[
        Literal["table", "csv", "json"],
        typer.Option(
            "--format",
            help="How rows are printed. In csv, a text that a spreadsheet would compute gets an"
            " apostrophe before it; json is exact.",
        ),
    ] = "table",
) -> None:
    """Run an SQL query, by DuckDB, over the exported inference log, and print its rows.

    `DESCRIBE inferences` lists the columns. All times are UTC.
    """
    with open_query(log_folder(load_settings(stream=stream), folder), sql) as result:
        match form:
            case "csv":
                print_csv(result)
            case "json":
                print_array(result)
            case _:
                print_table(result)


def erase_(
    stream: StreamArgument = None,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", help="A key of requests; may be repeated.", show_default=False),
    ] = None,
    request_id: Annotated[
        list[str] | None,
        typer.Option("--id", help="The id of a request; may be repeated.", show_default=False),
    ] = None,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase the rows of some keys or requests from the exported inference log.

    Records in topics cannot be erased: they expire. Later exports leave those out that were
    written before this call.
    """
    if not key and not request_id:
        raise typer.BadParameter("give at least one --key or --id")
    settings = load_settings(stream=stream)
    place, now_ms = log_folder(settings, folder), int(time() * 1000)
    wanted = {"key": key or [], "id": request_id or []}
    changed = erase(place, {name: values for name, values in wanted.items() if values}, now_ms)
    print_changes(changed, as_json=as_json, empty="no row of the exported log has these")
    stderr.print(retention_note(settings), highlight=False, markup=False)


def expire_(
    before: Annotated[
        str,
        typer.Option("--before", metavar="DATE", help="The first day that is kept: YYYY-MM-DD."),
    ],
    stream: StreamArgument = None,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove the files of the exported inference log with the days before a date (UTC)."""
    try:
        day = date.fromisoformat(before).isoformat()
    except ValueError:
        raise typer.BadParameter(f"{before!r} is not a date; write 2026-11-24") from None
    removed = expire(log_folder(load_settings(stream=stream), folder), day)
    print_changes(removed, as_json=as_json, empty=f"the exported log has no day before {day}")


def log_folder(settings: Settings, folder: Path | None) -> LogFolder:
    """Return the folder of a stream's exported log."""
    return LogFolder(folder or settings.home / "inferences" / settings.stream)


def retention_note(settings: Settings) -> str:
    """Return how long the topics keep what was erased from the files."""
    topic = settings.topics().inferences
    try:
        require_kafka(settings)
        retention = Admin(settings.connection).retention_ms(topic)
    except (BrokerError, KafkaUnreachable):
        return f"the records in {topic} remain until they expire; no broker says when that is"
    if retention < 0:
        return f"the records in {topic} remain: its retention is unlimited"
    return (
        f"the records in {topic} remain until they expire, {retention / MS_PER_DAY:g} days after"
        " they were written; so do requests, predictions and labels in their topics"
    )


def print_report(report: ExportReport, folder: LogFolder, *, as_json: bool) -> None:
    """Print what an export has done."""
    facts = {
        "requests": report.requests,
        "rows": report.rows,
        "files": report.files,
        "erased": report.erased,
        "unreadable": report.unreadable,
        "expired": report.expired,
        "folder": str(folder.path),
    }
    print_rows([facts], as_json=as_json, empty="")


def print_changes(changed: Sequence[ChangedFile], *, as_json: bool, empty: str) -> None:
    """Print the files that were changed, and how many rows were removed."""
    print_rows([one._asdict() for one in changed], as_json=as_json, empty=empty)
    if changed and not as_json:
        rows = sum(one.removed for one in changed)
        stderr.print(f"{rows:,} rows removed from {len(changed):,} files", highlight=False)


def print_table(result: QueryResult) -> None:
    """Print the first rows of a result as a table."""
    names = unique_names(result.columns)
    rows = result.rows()
    shown = [dict(zip(names, row, strict=True)) for row in islice(rows, TABLE_ROWS)]
    hidden = print_rows(shown, as_json=False, empty="no rows", is_noted=False)
    if hidden:
        message = f"no room for {', '.join(hidden)}: {ALL_FORMATS}"
        stderr.print(message, highlight=False, markup=False)
    if next(rows, None) is not None:
        stderr.print(
            f"only the first {TABLE_ROWS:,} rows are shown: {ALL_FORMATS}", highlight=False
        )


def print_csv(result: QueryResult) -> None:
    """Print a result as CSV with a header, as it is read.

    A text that a spreadsheet would compute gets an apostrophe before it; JSON is exact.
    """
    writer = csv.writer(sys.stdout)
    show = printable_cells if sys.stdout.isatty() else list
    writer.writerow(show(spreadsheet_cells(result.columns)))
    writer.writerows(show(spreadsheet_cells(row)) for row in result.rows())


def printable_cells(row: Iterable[object]) -> list[object]:
    """Return the cells of a row without characters that steer a terminal."""
    return [escape_controls(cell) if isinstance(cell, str) else cell for cell in row]


def print_array(result: QueryResult) -> None:
    """Print a result as a JSON array of objects, as it is read."""
    names = unique_names(result.columns)
    separator = "["
    for row in result.rows():
        document = json.dumps(dict(zip(names, row, strict=True)), default=as_text)
        sys.stdout.write(f"{separator}\n{document}")
        separator = ","
    sys.stdout.write("[]\n" if separator == "[" else "\n]\n")


def as_text(value: Any) -> object:  # noqa: ANN401 - any type of DuckDB
    """Return a value that JSON has no type for as text."""
    return value.isoformat() if isinstance(value, date) else str(value)


def unique_names(names: Iterable[str]) -> list[str]:
    """Return the names of columns, with numbers behind those that are repeated."""
    return list(_unique(names))


def _unique(names: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        numbered, number = name, 1
        while numbered in seen:
            number += 1
            numbered = f"{name} {number}"
        seen.add(numbered)
        yield numbered
