"""`modstream trace` and `modstream fences`: who answered what, and what came of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.progress import Progress

from modstream.cli.dlq import when
from modstream.cli.options import AsJson, Stream
from modstream.cli.output import out, print_json, rows, say
from modstream.cli.time_options import Since
from modstream.operations.trace.facts import Account
from modstream.operations.trace.search import Scope, Search
from modstream.operations.trace.story import told
from modstream.settings import Settings, load_settings

HASH = 12
"""Hexadecimal digits of a hash that people are shown."""
PLACES = ("place", "source", "fence")
"""Facts that are `topic:partition:offset`; people read the topic once, above the table."""


def trace(
    wanted: Annotated[
        str,
        typer.Argument(metavar="ID", help="A request's id, or its `topic:partition:offset`."),
    ],
    stream: Stream = None,
    key: Annotated[
        str | None, typer.Option(help="The request's key, if it is not the id.", show_default=False)
    ] = None,
    partition: Annotated[
        int | None, typer.Option(min=0, help="The request's partition.", show_default=False)
    ] = None,
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """Tell the whole story of a request: who asked, who answered, what was true, who learned it.

    Reads the partition of the key alone where it can, and all others only if it must. A place
    whose record is gone is told by the fences: which version answered there.
    """
    with searching(load_settings(stream=stream)) as search:
        account = search.account(wanted, Scope(key, partition, since))
    if as_json:
        print_json(asdict(account))
    else:
        print_account(account)


def fences(
    stream: Stream = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Of this model only.", show_default=False)
    ] = None,
    partition: Annotated[
        int | None, typer.Option(min=0, help="Of this partition only.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List from which offset on which version answers, in the order of partitions and offsets."""
    settings = load_settings(stream=stream)
    with searching(settings) as search:
        found = [
            fence
            for fence in search.fences()
            if model in {None, fence.model} and partition in {None, fence.source.partition}
        ]
    found.sort(key=lambda fence: (fence.source.partition, fence.source.offset))
    shown = [asdict(told(fence)) for fence in found]
    empty = f"no fences in {settings.topics().fences}"
    rows(shown if as_json else brief(shown), as_json=as_json, empty=empty)


@contextmanager
def searching(settings: Settings) -> Iterator[Search]:
    """A search of the stream's topics, with a bar while it lasts."""
    with Progress(console=say, transient=True) as progress:
        task = progress.add_task("looking", total=None)

        def notice(topic: str, count: int, total: int) -> None:
            progress.update(task, description=topic, completed=count, total=total)

        yield Search(settings.connection, settings.topics(), notice)


def print_account(account: Account) -> None:
    """Print an account for people, one table a kind of fact."""
    out.print(f"{account.id}: {account.fate}", markup=False, highlight=False)
    found = asdict(account)
    for name in ("requests", "answers", "dead_letters", "labels", "set_aside", "served"):
        section(name, found[name])
    section("joined", [{k: one[k] for k in ("place", "at", "label")} for one in found["joined"]])
    section("losses", [loss for one in found["joined"] for loss in losses(one)])
    section("learned", [lesson for one in found["joined"] for lesson in one["lessons"]])


def section(name: str, facts: Sequence[Mapping[str, Any]]) -> None:
    """Print the facts of one kind, if there are any, below the topic where they lie."""
    if facts:
        place = facts[0].get("place") or facts[0].get("source")
        topic = "" if place is None else f" in {place.partition(':')[0]}"
        title = f"{name.replace('_', ' ')}{topic}"
        rows(brief(facts), as_json=False, empty="", title=title)


def losses(joined: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A row for each figure of each answer that was held against the label."""
    for score in joined["scores"]:
        moved = {effect["figure"]: effect for effect in score["effects"]}
        for figure, loss in score["loss"].items():
            effect = moved.get(figure, {})
            yield {
                "model": score["model"],
                "version": score["version"],
                "figure": figure,
                "of_this_answer": loss,
                "of_the_version_before": effect.get("before"),
                "after": effect.get("after"),
                "moved_by_this_alone": effect.get("alone"),
                "labelled": effect.get("labelled"),
            }


def brief(facts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Facts for people: times as dates, hashes cut, and no column that is empty."""
    shown = [{name: readable(name, value) for name, value in fact.items()} for fact in facts]
    used = (
        [name for name in shown[0] if any(one[name] is not None for one in shown)] if shown else []
    )
    return [{name: one[name] for name in used} for one in shown]


def readable(name: str, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A fact as text, where it is no plain one."""
    if value is None or value == "":
        return None
    if name in {"at", "event_time"}:
        return when(value)
    if name == "sha256":
        return value[:HASH]
    if name in PLACES:
        return value.partition(":")[2]
    if isinstance(value, dict):
        return ", ".join(f"{key}: {readable('', one)}" for key, one in value.items())
    return f"{value:.6g}" if isinstance(value, float) and not name else value
