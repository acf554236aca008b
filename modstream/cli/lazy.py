"""Commands that are imported when they are called: a short one must not wait for all the others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class Entry:
    """A command of a group: `where` is "module:function", `help` the line in the overview."""

    where: str
    help: str
    panel: str = "Commands"


def lazy_group(entries: Mapping[str, Entry], **wishes: Any) -> typer.Typer:  # noqa: ANN401 - typer's
    """A group of commands that are known by their entries alone until one of them is called."""

    class Lazy(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer carries its own click
            return [*entries, *super().list_commands(ctx)]

        def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401
            """The overview's line of a command; `resolve_command` brings the command itself."""
            entry = entries.get(cmd_name)
            if entry is None:
                return super().get_command(ctx, cmd_name)
            return TyperCommand(cmd_name, help=entry.help, rich_help_panel=entry.panel)

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401
            name, command, rest = super().resolve_command(ctx, args)
            if name is not None and name in entries:
                command = loaded(name, entries[name])
            return name, command, rest

    app = typer.Typer(cls=Lazy, no_args_is_help=True, add_completion=False, **wishes)
    app.callback()(lambda: None)
    return app


def loaded(name: str, entry: Entry) -> Any:  # noqa: ANN401
    """Import a command, with its options."""
    function: Callable[..., None] = resolve_name(entry.where)
    alone = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    alone.command(name)(function)
    return typer.main.get_command(alone)
