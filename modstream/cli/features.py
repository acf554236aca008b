"""`modstream features`: publish, list, show, lag, backfill, verify."""

from pathlib import Path
from threading import Event
from time import time
from typing import Annotated, Any

import typer

from modstream.broker.client.admin import Admin
from modstream.cli.options import JsonOption, StreamArgument
from modstream.cli.output import print_json, print_rows, stderr, stdout
from modstream.cli.servers import require_redis, require_stream
from modstream.cli.time_options import format_time, parse_time
from modstream.errors import UnknownName
from modstream.features.backfill import backfill as run_backfill
from modstream.features.definitions import Definitions, open_definitions, read_definitions
from modstream.features.snapshot import (
    AggregationSize,
    first_counted,
    open_snapshot,
    read_progress,
    waiting_records,
)
from modstream.features.verification import verify_features
from modstream.processors.features.aggregation import Aggregation
from modstream.processors.features.definition import FeatureDefinition
from modstream.processors.features.files import parse_features
from modstream.settings import Settings, load_settings

StreamOption = Annotated[
    str | None,
    typer.Option("--stream", help="The stream; by default the one in the settings."),
]


def publish(
    file: Annotated[Path, typer.Argument(help="The definitions, a file such as features.toml.")],
    stream: StreamOption = None,
) -> None:
    """Publish the definitions of a stream's features: the aggregator counts from now on by them.

    Features that were there before keep what they have counted. A feature that is not in the file
    any more is removed.
    """
    settings = load_settings(stream=stream)
    content = _content_of(file)
    features = parse_features(content, str(file))
    require_redis(settings)
    _require_topics(settings, [one.topic for one in features.sources.values()])
    with open_definitions(settings) as table:
        known = read_definitions(table, settings.stream)
        revision = table.write(content)
    before = set() if known is None else set(known.features.names)
    after = set(features.names)
    stdout.print(
        f"published revision {revision} of the features of {settings.stream}:"
        f" {len(after)} features, {len(after - before)} new, {len(before - after)} removed",
        highlight=False,
    )
    stderr.print(
        "run `modstream aggregator` to count events; `modstream features backfill` counts those"
        " from before",
        highlight=False,
    )


def list_(stream: StreamArgument = None, as_json: JsonOption = False) -> None:
    """List the features of a stream: what they aggregate, and how much they have counted."""
    settings, found = _published(stream)
    with open_snapshot(settings, found) as snapshot:
        sizes = snapshot.sizes()
    progress = read_progress(settings, found)
    rows = []
    for one in found.features.definitions:
        aggregation = Aggregation.of(one).id
        counted = first_counted(progress, aggregation)
        rows.append(
            {
                "feature": one.name,
                "aggregate": _aggregate_text(one),
                "source": one.source,
                "group": ", ".join(one.group) or "all",
                "window": _duration(one.window),
                "groups": sizes[aggregation].groups,
                "partials": sizes[aggregation].partials,
                "bytes": sizes[aggregation].bytes,
                "partitions": len(counted),
            }
        )
    print_rows(rows, as_json=as_json, empty="", drop=("partitions", "source", "bytes"))


def show(
    name: Annotated[str, typer.Argument(help="The name of a feature.", show_default=False)],
    group: Annotated[
        list[str] | None,
        typer.Option(help="A field of the group and its value, as origin=EWR; may be repeated."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(help="The event time of the value; by default that of the newest event."),
    ] = None,
    stream: StreamOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the definition of a feature, and its value for a group at a time."""
    settings, found = _published(stream)
    one = next((one for one in found.features.definitions if one.name == name), None)
    if one is None:
        raise UnknownName("feature", name, found.features.names)
    fields = _fields(group or [], one)
    with open_snapshot(settings, found) as snapshot:
        size = snapshot.sizes()[Aggregation.of(one).id]
        moment = parse_time(at) if at is not None else _newest(size, one)
        value = snapshot.value(name, fields, moment)
    shown = {
        **one.model_dump(mode="json", exclude_none=True, exclude_defaults=True),
        "slice": one.slice_ms,
        "at": format_time(moment),
        "of": fields,
        "value": None if value != value else value,  # noqa: PLR0124 - NaN
        "groups": size.groups,
        "partials": size.partials,
    }
    if as_json:
        print_json(shown)
        return
    durations = {"window", "slice", "due_after", "due_per_unit"}
    for label, content in shown.items():
        text = _duration(content) if label in durations else content
        stdout.print(f"{label:12} {text}", highlight=False)


def lag(stream: StreamArgument = None, as_json: JsonOption = False) -> None:
    """Show the events that the aggregator has not counted yet, by partition."""
    settings, found = _published(stream)
    rows = [
        {"topic": partition.topic, "partition": partition.partition, "lag": records}
        for partition, records in sorted(waiting_records(settings, found).items())
    ]
    print_rows(rows, as_json=as_json, empty="the aggregator has not read anything yet")


def backfill(stream: StreamArgument = None, as_json: JsonOption = False) -> None:
    """Count the events from before each feature was added, as far as they are retained.

    It can be repeated: the same events give the same values.
    """
    settings, found = _published(stream)
    result = run_backfill(settings, found)
    if as_json:
        print_json(result._asdict())
        return
    stdout.print(
        f"{result.records:,} records read, {result.events:,} events,"
        f" {result.partials:,} partial aggregates written",
        highlight=False,
    )


def verify(stream: StreamArgument = None, as_json: JsonOption = False) -> None:
    """Compute the features of all recorded predictions again, and compare them bit by bit.

    The exit code is 1 if a value differs.
    """
    settings, found = _published(stream)
    result = verify_features(settings, found, Event())
    differing = result.differing.total()
    if as_json:
        examples = [one._asdict() for one in result.examples]
        print_json(
            {
                "rows": result.rows,
                "values": result.values,
                "differing": differing,
                "examples": examples,
            }
        )
    else:
        verdict = "all are equal" if not differing else f"{differing:,} differ"
        stdout.print(
            f"{result.rows:,} rows, {result.values:,} values compared bit by bit: {verdict}",
            highlight=False,
        )
        for one in result.examples:
            text = f"{one.id}: {one.feature}: served {one.served}, recomputed {one.recomputed}"
            stdout.print(text, markup=False, highlight=False)
    if differing:
        raise typer.Exit(1)


def _published(stream: str | None) -> tuple[Settings, Definitions]:
    """Return the settings, and the definitions of the stream's features."""
    settings = load_settings(stream=stream)
    require_stream(settings)
    require_redis(settings)
    with open_definitions(settings) as table:
        found = read_definitions(table, settings.stream)
    if found is None:
        stderr.print(
            f"the stream {settings.stream} has no features: modstream features publish FILE",
            highlight=False,
        )
        raise typer.Exit(1)
    return settings, found


def _require_topics(settings: Settings, topics: list[str]) -> None:
    known = {state.name for state in Admin(settings.connection).topics("")}
    missing = sorted(set(topics) - known)
    if missing:
        stderr.print(
            f"not there yet: {', '.join(missing)}; the aggregator waits for it", highlight=False
        )


def _content_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}") from None


def _aggregate_text(one: FeatureDefinition) -> str:
    text = one.aggregate if one.quantile is None else f"quantile {one.quantile:g}"
    if one.value is not None:
        text += f" of {one.value}"
    return text


def _duration(milliseconds: int) -> str:
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds % size == 0:
            return f"{milliseconds // size} {unit}"
    return f"{milliseconds} ms"


def _fields(texts: list[str], one: FeatureDefinition) -> dict[str, Any]:
    fields = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in one.group:
            wanted = " ".join(f"--group {field}=VALUE" for field in one.group) or "no --group"
            raise typer.BadParameter(f"{text!r}: the feature {one.name} takes {wanted}")
        fields[name] = value
    if missing := [field for field in one.group if field not in fields]:
        raise typer.BadParameter(f"name the group: --group {missing[0]}=VALUE")
    return fields


def _newest(size: AggregationSize, one: FeatureDefinition) -> int:
    """Return the end of the newest slice of a feature's aggregation in ms; now if there is none."""
    if size.newest_slice is None:
        return int(time() * 1000)
    return size.newest_slice * one.slice_ms
