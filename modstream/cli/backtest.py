"""`modstream backtest`: scores recorded requests with any model version."""

import csv
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from modstream.cli.names import open_models, require_model
from modstream.cli.options import JsonOption, StreamArgument, check_model
from modstream.cli.output import open_progress, print_json, print_rows, stderr, stdout
from modstream.cli.servers import require_stream
from modstream.cli.time_options import SinceOption, UntilOption
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.models.registry.refs import DEFAULT_ALIAS
from modstream.models.serving.model_cache import ModelCache
from modstream.operations.backtest.backtest import Backtest, BacktestResult, TimeRange, flatten_rows
from modstream.operations.backtest.compare import is_changed
from modstream.registry.card_lookup import card_finder
from modstream.registry.trust import load_trust
from modstream.report.csv_cells import spreadsheet_cells
from modstream.settings import load_settings

CSV = ".csv"


def backtest(
    stream: StreamArgument = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="The model to score with; by default the primary.",
            callback=check_model,
        ),
    ] = None,
    version: Annotated[
        str, typer.Option("--version", "-v", help="A version number or an alias.")
    ] = DEFAULT_ALIAS,
    since: SinceOption = None,
    until: UntilOption = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="The model whose recorded predictions are compared; by default the same model, or"
            " the primary model if it is not in the route."
        ),
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Probability from which a decision is positive.")
    ] = 0.5,
    output: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="Write a row per prediction: .csv, for people, in which a text that a spreadsheet"
            " would compute gets an apostrophe before it; else JSON lines, which are exact.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Score recorded requests with any version and print which decisions would have differed.

    The live stream is not affected: the command joins no consumer group, commits no offset and
    writes no record. Metrics are computed like the learner's, over the labels known by now.
    """
    settings = load_settings(stream=stream)
    require_stream(settings)
    chosen = model or settings.models[0]
    other = baseline or (chosen if chosen in settings.models else settings.models[0])
    with open_models(settings) as registry, open_progress() as progress:
        task = progress.add_task("loading", total=None)

        def show_progress(topic: str, count: int, total: int) -> None:
            progress.update(task, description=topic, completed=count, total=total)

        if baseline is not None:
            require_model(registry, baseline)
        cache = ModelCache(registry, load_trust(settings), settings.model_cache)
        loaded = cache.load(chosen, version)
        run = Backtest(
            *(settings.connection, settings.topics(), settings.max_request_bytes, show_progress),
            versions=VersionClasses(card_finder(registry)),
            steps=cache,
        )
        result = run.run(loaded, other, TimeRange(since, until), threshold)
    if output is not None:
        write_rows(output, rows_with_differences(result, threshold))
        stderr.print(f"{len(result.rows):,} rows written to {output}", highlight=False)
    print_result(result, threshold, as_json=as_json)


def rows_with_differences(result: BacktestResult, threshold: float) -> Iterable[dict[str, object]]:
    """Return every compared row with the difference of the two outputs, as flat mappings."""
    task = result.comparison.task
    is_numeric = task != "multiclass"
    for row, fields in zip(result.rows, flatten_rows(result.rows), strict=True):
        difference = float(row.backtested) - float(row.served) if is_numeric else None
        yield {**fields, "difference": difference, "is_changed": is_changed(task, row, threshold)}


def write_rows(path: Path, rows: Iterable[dict[str, object]]) -> None:
    """Write rows as CSV if the file has that suffix, else as JSON lines, which are exact.

    In CSV, a text that a spreadsheet would compute gets an apostrophe before it.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        if path.suffix.lower() != CSV:
            file.writelines(f"{json.dumps(row)}\n" for row in rows)
            return
        writer = csv.writer(file)
        for number, row in enumerate(rows):
            if number == 0:
                writer.writerow(spreadsheet_cells(row))
            writer.writerow(spreadsheet_cells(row.values()))


def print_result(result: BacktestResult, threshold: float, *, as_json: bool) -> None:
    """Print the result of a backtest as tables, or as one JSON object."""
    if as_json:
        print_json(to_document(result, threshold))
        return
    card, comparison = result.card, result.comparison
    first, last = min(comparison.versions), max(comparison.versions)
    served = f"{first}" if first == last else f"{first}–{last}"
    head = f"{card.name} {card.version} against {result.baseline} {served}"
    stdout.print(head, markup=False, highlight=False)
    for title, rows in to_tables(result).items():
        print_rows(rows, as_json=False, empty="no labels yet", title=title)


def to_document(result: BacktestResult, threshold: float) -> dict[str, Any]:
    """Return the result of a backtest as one JSON object."""
    return {
        "model": result.card.name,
        "version": result.card.version,
        "sha256": result.card.sha256,
        "baseline": result.baseline,
        "threshold": threshold,
        "requests": result.requests,
        "answered": result.answered,
        "refused": result.refused,
        "unmatched": sum(result.unmatched.values()),
        "unmatched_reasons": result.unmatched,
        **asdict(result.comparison),
    }


def to_tables(result: BacktestResult) -> dict[str, list[dict[str, Any]]]:
    """Return the result of a backtest as tables by their title."""
    comparison = result.comparison
    counts = {
        "requests": result.requests,
        "answered": result.answered,
        "unmatched": sum(result.unmatched.values()),
        "compared_rows": comparison.rows,
        "equal_rows": comparison.equal,
    }
    tables: dict[str, list[dict[str, Any]]] = {"requests": [counts]}
    reasons = {name: count for name, count in result.unmatched.items() if count}
    if reasons:
        tables["requests that are not compared"] = [reasons]
    if comparison.decisions is not None:
        changes = {
            name: count for name, count in asdict(comparison.decisions).items() if count is not None
        }
        share = comparison.decisions.count / comparison.rows
        tables["decisions that differ"] = [{**changes, "share": share}]
    if comparison.shift is not None:
        shift = asdict(comparison.shift)
        quantiles = {f"q{share}": value for share, value in shift.pop("quantiles").items()}
        tables["backtested minus served output"] = [{**shift, **quantiles}]
    rows = (
        "1 labelled row" if comparison.labelled == 1 else f"{comparison.labelled:,} labelled rows"
    )
    tables[f"metrics over {rows}"] = [
        {"metric": name, "served": value, "backtested": comparison.backtested.get(name)}
        for name, value in comparison.served.items()
    ]
    return tables
