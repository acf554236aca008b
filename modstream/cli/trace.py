"""`modstream trace` shows the history of a request, `modstream versions` which version answers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

import typer

from modstream.cli.fact_cells import format_facts
from modstream.cli.names import open_models, require_model
from modstream.cli.options import MAX_LIMIT, JsonOption, StreamArgument, check_model
from modstream.cli.output import (
    open_progress,
    print_hidden,
    print_json,
    print_rows,
    printable,
    stderr,
    stdout,
)
from modstream.cli.servers import require_stream
from modstream.cli.time_options import SinceOption
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.operations.trace.facts import RequestStory
from modstream.operations.trace.search import RequestSearch, SearchScope
from modstream.operations.trace.story import version_marker_entry
from modstream.registry.card_lookup import card_finder
from modstream.settings import Settings, load_settings

TABLES = ("requests", "responses", "dead_letters", "labels", "unjoined", "version_markers")
"""Kinds of facts that are printed as they are, in this order."""
DROP = (
    *("attempts", "version_marker", "source", "ref", "revision", "event_time", "labelled"),
    *("contribution", "timestamp", "key", "parent", "sha256"),
)
"""Fields that a narrow terminal leaves out first."""
MAX_ROWS = 5
"""Rows of each table that are printed by default."""


def trace(
    id_or_position: Annotated[
        str,
        typer.Argument(metavar="ID", help="A request's id, or its `topic:partition:offset`."),
    ],
    stream: StreamArgument = None,
    key: Annotated[
        str | None, typer.Option(help="The request's key, if it is not the id.", show_default=False)
    ] = None,
    partition: Annotated[
        int | None, typer.Option(min=0, help="The request's partition.", show_default=False)
    ] = None,
    since: SinceOption = None,
    rows: Annotated[
        int, typer.Option(min=1, max=MAX_LIMIT, help="Maximum number of rows of each table.")
    ] = MAX_ROWS,
    as_json: JsonOption = False,
) -> None:
    """Show the history of a request: sender, responses, label, effect on metrics, and learning.

    Only the partition of the key is read if possible, else all partitions. If retention has
    deleted the request at a position, the version markers still name the version that answered it.
    """
    settings = load_settings(stream=stream)
    require_stream(settings)
    with open_search(settings) as search:
        story = search.find_story(id_or_position, SearchScope(key, partition, since))
    if as_json:
        print_json(asdict(story))
    else:
        print_story(story, rows)


def versions(
    stream: StreamArgument = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="Only this model.", show_default=False, callback=check_model
        ),
    ] = None,
    partition: Annotated[
        int | None, typer.Option(min=0, help="Only this partition.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List which model version answers from which offset on, by partition and offset."""
    settings = load_settings(stream=stream)
    require_stream(settings)
    with open_search(settings) as search:
        markers = [
            marker
            for marker in search.read_version_markers()
            if model in {None, marker.model} and partition in {None, marker.source.partition}
        ]
    if model is not None and not markers:
        with open_models(settings) as registry:
            require_model(registry, model)
    markers.sort(key=lambda marker: (marker.source.partition, marker.source.offset))
    rows = [asdict(version_marker_entry(marker)) for marker in markers]
    empty = f"no version markers in {settings.topics().version_markers}"
    print_rows(rows if as_json else format_facts(rows), as_json=as_json, empty=empty, drop=DROP)


@contextmanager
def open_search(settings: Settings) -> Iterator[RequestSearch]:
    """Open a search of the stream's topics that shows its progress."""
    with open_models(settings) as registry, open_progress() as progress:
        task = progress.add_task("searching", total=None)

        def show_progress(topic: str, count: int, total: int) -> None:
            progress.update(task, description=topic, completed=count, total=total)

        versions = VersionClasses(card_finder(registry))
        yield RequestSearch(settings.connection, settings.topics(), show_progress, versions)


def print_story(story: RequestStory, max_rows: int = MAX_ROWS) -> None:
    """Print the history of a request, one table of at most `max_rows` for each kind of fact."""
    stdout.print(f"{printable(story.id)}: {story.label_status}\n", markup=False, highlight=False)
    fields = asdict(story)
    tables = {name: fields[name] for name in TABLES}
    feedback, columns = fields["feedback"], ("position", "timestamp", "row", "label")
    tables["feedback"] = [{name: entry[name] for name in columns} for entry in feedback]
    tables["losses"] = [row for entry in feedback for row in loss_rows(entry)]
    tables["learning"] = [
        {"row": entry["row"], **outcome} for entry in feedback for outcome in entry["learning"]
    ]
    hidden = [column for name in tables for column in print_facts(name, tables[name], max_rows)]
    if hidden:
        print_hidden(dict.fromkeys(hidden))
    longest = max(map(len, tables.values()))
    if longest > max_rows:
        hint = f"only the first rows of each table are shown: --rows {longest} or --json shows all"
        stderr.print(hint, highlight=False, markup=False)


def print_facts(name: str, facts: Sequence[Mapping[str, Any]], max_rows: int) -> tuple[str, ...]:
    """Print a table of the facts of one kind under their topic; nothing if there are none.

    If there are more than `max_rows`, the title says how many there are. Returns the names of the
    columns for which there is no room.
    """
    if not facts:
        return ()
    position = facts[0].get("position") or facts[0].get("source")
    topic = "" if position is None else f" in {position.partition(':')[0]}"
    part = f", {max_rows:,} of {len(facts):,}" if len(facts) > max_rows else ""
    title = f"{name.replace('_', ' ')}{topic}{part}"
    rows = format_facts(facts[:max_rows])
    return print_rows(rows, as_json=False, empty="", title=title, drop=DROP, is_noted=False)


def loss_rows(feedback: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Return a row for each metric of each prediction that a label was joined with."""
    for score in feedback["scores"]:
        impacts = {impact["metric"]: impact for impact in score["impacts"]}
        for metric, loss in score["losses"].items():
            impact = impacts.get(metric, {})
            yield {
                "row": feedback["row"],
                "model": score["model"],
                "version": score["version"],
                "metric": metric,
                "loss_of_this_prediction": loss,
                "metric_before": impact.get("before"),
                "metric_after": impact.get("after"),
                "contribution": impact.get("contribution"),
                "labelled": impact.get("labelled"),
            }
