"""`modstream trace` shows the history of a request, `modstream versions` which version answers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.progress import Progress

from modstream.cli.options import JsonOption, StreamArgument
from modstream.cli.output import print_json, print_rows, stderr, stdout
from modstream.cli.time_options import SinceOption, format_time
from modstream.operations.trace.facts import RequestStory
from modstream.operations.trace.search import RequestSearch, SearchScope
from modstream.operations.trace.story import version_marker_entry
from modstream.settings import Settings, load_settings

SHORT_HASH_LENGTH = 12
"""Number of hexadecimal digits of a hash in tables."""
POSITION_FIELDS = ("position", "source", "version_marker")
"""Fields of the form `topic:partition:offset`; tables name the topic once, in the title."""
TABLES = ("requests", "responses", "dead_letters", "labels", "unjoined", "version_markers")
"""Kinds of facts that are printed as they are, in this order."""


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
    as_json: JsonOption = False,
) -> None:
    """Show the history of a request: sender, responses, label, effect on metrics, and learning.

    Only the partition of the key is read if possible, else all partitions. If retention has
    deleted the request at a position, the version markers still name the version that answered it.
    """
    with open_search(load_settings(stream=stream)) as search:
        story = search.find_story(id_or_position, SearchScope(key, partition, since))
    if as_json:
        print_json(asdict(story))
    else:
        print_story(story)


def versions(
    stream: StreamArgument = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Only this model.", show_default=False)
    ] = None,
    partition: Annotated[
        int | None, typer.Option(min=0, help="Only this partition.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List which model version answers from which offset on, by partition and offset."""
    settings = load_settings(stream=stream)
    with open_search(settings) as search:
        markers = [
            marker
            for marker in search.read_version_markers()
            if model in {None, marker.model} and partition in {None, marker.source.partition}
        ]
    markers.sort(key=lambda marker: (marker.source.partition, marker.source.offset))
    rows = [asdict(version_marker_entry(marker)) for marker in markers]
    empty = f"no version markers in {settings.topics().version_markers}"
    print_rows(rows if as_json else format_facts(rows), as_json=as_json, empty=empty)


@contextmanager
def open_search(settings: Settings) -> Iterator[RequestSearch]:
    """Open a search of the stream's topics that shows its progress."""
    with Progress(console=stderr, transient=True) as progress:
        task = progress.add_task("searching", total=None)

        def show_progress(topic: str, count: int, total: int) -> None:
            progress.update(task, description=topic, completed=count, total=total)

        yield RequestSearch(settings.connection, settings.topics(), show_progress)


def print_story(story: RequestStory) -> None:
    """Print the history of a request, one table for each kind of fact."""
    stdout.print(f"{story.id}: {story.label_status}", markup=False, highlight=False)
    fields = asdict(story)
    for name in TABLES:
        print_facts(name, fields[name])
    feedback = fields["feedback"]
    columns = ("position", "timestamp", "label")
    print_facts("feedback", [{name: entry[name] for name in columns} for entry in feedback])
    print_facts("losses", [row for entry in feedback for row in loss_rows(entry)])
    print_facts("learning", [outcome for entry in feedback for outcome in entry["learning"]])


def print_facts(name: str, facts: Sequence[Mapping[str, Any]]) -> None:
    """Print a table of the facts of one kind under their topic; nothing if there are none."""
    if facts:
        position = facts[0].get("position") or facts[0].get("source")
        topic = "" if position is None else f" in {position.partition(':')[0]}"
        title = f"{name.replace('_', ' ')}{topic}"
        print_rows(format_facts(facts), as_json=False, empty="", title=title)


def loss_rows(feedback: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Return a row for each metric of each prediction that a label was joined with."""
    for score in feedback["scores"]:
        impacts = {impact["metric"]: impact for impact in score["impacts"]}
        for metric, loss in score["losses"].items():
            impact = impacts.get(metric, {})
            yield {
                "model": score["model"],
                "version": score["version"],
                "metric": metric,
                "loss_of_this_prediction": loss,
                "metric_before": impact.get("before"),
                "metric_after": impact.get("after"),
                "contribution": impact.get("contribution"),
                "labelled": impact.get("labelled"),
            }


def format_facts(facts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return facts as rows of a table: times as dates, hashes shortened, no empty columns."""
    rows = [{name: format_value(name, value) for name, value in fact.items()} for fact in facts]
    used = [name for name in rows[0] if any(row[name] is not None for row in rows)] if rows else []
    return [{name: row[name] for name in used} for row in rows]


def format_value(name: str, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a field's value as a table shows it; an empty text becomes None."""
    if value is None or value == "":
        return None
    if name in {"timestamp", "event_time"}:
        return format_time(value)
    if name == "sha256":
        return value[:SHORT_HASH_LENGTH]
    if name in POSITION_FIELDS:
        return value.partition(":")[2]
    if isinstance(value, dict):
        return ", ".join(f"{key}: {format_value('', item)}" for key, item in value.items())
    return f"{value:.6g}" if isinstance(value, float) and not name else value
