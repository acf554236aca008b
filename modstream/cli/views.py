"""`modstream views`: batch views of the inference log, merged with the newest records."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from modstream import logs
from modstream.cli.inference_log import FolderOption, log_folder
from modstream.cli.options import JsonOption, StreamArgument
from modstream.cli.output import print_rows, stderr
from modstream.cli.servers import require_kafka
from modstream.errors import InvalidValue
from modstream.operations.batch_views.build import build_view
from modstream.operations.batch_views.definition import Group, Measure, ViewDefinition
from modstream.operations.batch_views.merged_view import MergedView, open_merged
from modstream.operations.batch_views.state_queries import StateQueries
from modstream.operations.batch_views.view_file import ViewFile, read_view, view_names, view_path
from modstream.operations.inference_log.erasures import Erasures
from modstream.process.signals import stop_signals
from modstream.settings import Settings, load_settings

VIEW_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def check_view(name: str) -> str:
    """Return the name of a view as it is.

    Raises:
        typer.BadParameter: no view can have this name.
    """
    if not VIEW_NAME.fullmatch(name):
        raise typer.BadParameter("use at most 64 letters, digits and _ - for the name of a view")
    return name


NameArgument = Annotated[str, typer.Argument(help="The view's name.", callback=check_view)]


def build(
    name: NameArgument,
    stream: StreamArgument = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            metavar="GROUP",
            help="A column of the log to group by, or name = EXPRESSION of SQL; may be repeated.",
            show_default=False,
        ),
    ] = None,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            "--measure",
            metavar="MEASURE",
            help="A figure of each group: name = FUNCTION(EXPRESSION), with count, sum, mean, min,"
            " max or newest; may be repeated.",
            show_default=False,
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(help="Only rows of the log for which this is true.", show_default=False),
    ] = None,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute a view of the whole exported log, with the offsets it counts.

    Without --measure, the view is computed anew as it was defined.
    """
    settings = load_settings(stream=stream)
    place = views_folder(settings)
    if measure:
        definition = define(by or [], measure, where)
    elif by or where:
        raise typer.BadParameter("give a --measure, too")
    else:
        definition = read_view(place, name).head.definition
    view = build_view(log_folder(settings, folder), name, definition, place)
    print_rows([facts_of(view, place)], as_json=as_json, empty="")


def show(
    name: NameArgument,
    stream: StreamArgument = None,
    is_batch_only: Annotated[
        bool, typer.Option("--batch-only", help="Leave out the newest records.")
    ] = False,
    every: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="Print again every so many seconds until Ctrl-C.", show_default=False
        ),
    ] = None,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a view: the history, and the records that came since it was built.

    Each record is counted once: up to the view's offsets by the view, and
    from there on by reading the topic.
    """
    settings = load_settings(stream=stream)
    logs.configure(settings)
    view = read_view(views_folder(settings), name)
    if is_batch_only:
        values = StateQueries(name, view.head.definition).values(view.states).to_pylist()
        print_rows(values, as_json=as_json, empty="the view has no rows")
        return
    require_kafka(settings)
    erased = Erasures.read(log_folder(settings, folder).path)
    with stop_signals() as stop, open_merged(settings.connection, view, erased) as merged:
        print_merged(merged, as_json=as_json)
        while every is not None and not stop.wait(every):
            print_merged(merged, as_json=as_json)


def list_(stream: StreamArgument = None, as_json: JsonOption = False) -> None:
    """List the views of a stream: what they count, and since when."""
    place = views_folder(load_settings(stream=stream))
    rows = [facts_of(read_view(place, name), place) for name in view_names(place)]
    print_rows(rows, as_json=as_json, empty="there is no view: `modstream views build`")


def define(by: list[str], measures: list[str], where: str | None) -> ViewDefinition:
    """Return the definition that options give.

    Raises:
        typer.BadParameter: they give none.
    """
    try:
        return ViewDefinition(
            groups=tuple(map(Group.parse, by)),
            measures=tuple(map(Measure.parse, measures)),
            where=where,
        )
    except InvalidValue as error:
        raise typer.BadParameter(str(error)) from None
    except ValidationError as error:
        raise typer.BadParameter(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


def print_merged(merged: MergedView, *, as_json: bool) -> None:
    """Print the figures of a view with the newest records, and what was read for them."""
    merged.refresh()
    print_rows(merged.values(), as_json=as_json, empty="the view has no rows")
    stderr.print(
        f"batch view of {format_time(merged.view)}, and {merged.speed_rows:,} rows since",
        highlight=False,
    )


def facts_of(view: ViewFile, folder: Path) -> dict[str, Any]:
    """Return what is printed of a view."""
    head = view.head
    return {
        "view": view.name,
        "groups": view.states.num_rows,
        "counted": sum(head.offsets.values()),
        "built": format_time(view),
        "measures": ", ".join(one.name for one in head.definition.measures),
        "topic": head.topic,
        "file": str(view_path(folder, view.name)),
    }


def format_time(view: ViewFile) -> str:
    """Return when a view was built."""
    return f"{datetime.fromtimestamp(view.head.built / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def views_folder(settings: Settings) -> Path:
    """Return the folder of a stream's views."""
    return settings.home / "views" / settings.stream
