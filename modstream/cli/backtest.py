"""`modstream replay`: what another version would have answered."""

import csv
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from modstream.cli.options import AsJson, Stream
from modstream.cli.output import out, print_json, rows, say
from modstream.cli.time_options import option
from modstream.models.serving.model_cache import Shelf
from modstream.operations.backtest.backtest import Outcome, Replay, Stretch, listed
from modstream.operations.backtest.compare import flipped
from modstream.registry.access import open_registry, trust
from modstream.settings import load_settings

CSV = ".csv"


def replay(
    stream: Stream = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Whose version; by default the primary's."),
    ] = None,
    version: Annotated[
        str, typer.Option("--version", "-v", help="A number or an alias.")
    ] = "champion",
    since: Annotated[
        int | None, option("--from", "Requests not before: a time, or so long ago as 2h.")
    ] = None,
    until: Annotated[int | None, option("--to", "Requests before this time.")] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="The model whose recorded answers are held against it; by default the same one,"
            " or the primary where it serves no route."
        ),
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="Probability from which a decision is yes.")
    ] = 0.5,
    to_file: Annotated[
        Path | None,
        typer.Option("--out", dir_okay=False, help="A row per answer: .csv, or JSON lines."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score recorded requests with any version and print what would have been decided otherwise.

    Nothing of the live stream is touched: no group is joined, no offset committed, no record
    written. The figures are the learner's own, over the labels that are known by now.
    """
    settings = load_settings(stream=stream)
    chosen = model or settings.models[0]
    other = against or (chosen if chosen in settings.models else settings.models[0])
    with open_registry(settings) as registry, Progress(console=say, transient=True) as progress:
        task = progress.add_task("loading", total=None)

        def notice(topic: str, count: int, total: int) -> None:
            progress.update(task, description=topic, completed=count, total=total)

        loaded = Shelf(registry, trust(settings), settings.shelf).get(chosen, version)
        desk = Replay(settings.connection, settings.topics(), settings.largest_request, notice)
        outcome = desk.run(loaded, other, Stretch(since, until), threshold)
    if to_file is not None:
        write(to_file, differences(outcome, threshold))
        say.print(f"{len(outcome.pairs):,} rows in {to_file}", highlight=False)
    print_outcome(outcome, threshold, as_json=as_json)


def differences(outcome: Outcome, threshold: float) -> Iterable[dict[str, object]]:
    """Every pair with what a reader wants to sort it by."""
    task = outcome.card.task
    for pair, flat in zip(outcome.pairs, listed(outcome.pairs), strict=True):
        numbers = task != "multiclass"
        moved = float(pair.replayed) - float(pair.served) if numbers else None
        yield {**flat, "difference": moved, "flipped": flipped(task, pair, threshold)}


def write(path: Path, found: Iterable[dict[str, object]]) -> None:
    """Write rows as CSV if the file is called so, else as JSON lines."""
    with path.open("w", newline="", encoding="utf-8") as file:
        if path.suffix.lower() != CSV:
            file.writelines(f"{json.dumps(row)}\n" for row in found)
            return
        writer: csv.DictWriter[str] | None = None
        for row in found:
            if writer is None:
                writer = csv.DictWriter(file, list(row))
                writer.writeheader()
            writer.writerow(row)


def print_outcome(outcome: Outcome, threshold: float, *, as_json: bool) -> None:
    """Print what a replay came to."""
    if as_json:
        print_json(document(outcome, threshold))
        return
    card, found = outcome.card, outcome.comparison
    first, last = min(found.versions), max(found.versions)
    served = f"{first}" if first == last else f"{first}–{last}"
    head = f"{card.name} {card.version} against {outcome.against} {served}"
    out.print(head, markup=False, highlight=False)
    for title, facts in sections(outcome).items():
        rows(facts, as_json=False, empty="no labels yet", title=title)


def document(outcome: Outcome, threshold: float) -> dict[str, Any]:
    """What a replay came to, for programs."""
    return {
        "model": outcome.card.name,
        "version": outcome.card.version,
        "sha256": outcome.card.sha256,
        "against": outcome.against,
        "threshold": threshold,
        "requests": outcome.requests,
        "answered": outcome.answered,
        "refused": outcome.refused,
        "unmatched": outcome.unmatched,
        **asdict(outcome.comparison),
    }


def sections(outcome: Outcome) -> dict[str, list[dict[str, Any]]]:
    """The same for people, a table under each title."""
    found = outcome.comparison
    counts = {
        "requests": outcome.requests,
        "answered": outcome.answered,
        "refused": sum(outcome.refused.values()),
        "unmatched": outcome.unmatched,
        "compared": found.rows,
        "equal": found.equal,
    }
    tables: dict[str, list[dict[str, Any]]] = {"answers": [counts]}
    if found.flips is not None:
        flips = {name: count for name, count in asdict(found.flips).items() if count is not None}
        tables["decisions that differ"] = [{**flips, "share": found.flips.count / found.rows}]
    if found.shift is not None:
        moved = asdict(found.shift)
        quantiles = {f"q{share}": value for share, value in moved.pop("quantiles").items()}
        tables["replayed minus served"] = [{**moved, **quantiles}]
    tables[f"figures over {found.labelled:,} labelled rows"] = [
        {"figure": name, "served": old, "replayed": found.replayed.get(name)}
        for name, old in found.served.items()
    ]
    return tables
