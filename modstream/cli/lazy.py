"""Command groups that import a command only when it is called, so short commands start fast."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A command that is not imported yet.

    `target` is its function as "module:function", `help` its line in the group's overview.
    """

    target: str
    help: str
    panel: str = "Commands"


def lazy_group(commands: Mapping[str, LazyCommand], **options: Any) -> typer.Typer:  # noqa: ANN401 - typer's
    """Return a command group that imports a command only when it is called.

    Args:
        commands: the commands by name, in the order of the overview.
        options: further arguments of `typer.Typer`.
    """

    class LazyGroup(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer carries its own click
            return [*commands, *super().list_commands(ctx)]

        def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401
            """Return a stand-in for the overview; `resolve_command` loads the command itself."""
            command = commands.get(cmd_name)
            if command is None:
                return super().get_command(ctx, cmd_name)
            return TyperCommand(cmd_name, help=command.help, rich_help_panel=command.panel)

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401
            name, command, rest = super().resolve_command(ctx, args)
            if name is not None and name in commands:
                command = load_command(name, commands[name])
            return name, command, rest

    app = typer.Typer(cls=LazyGroup, no_args_is_help=True, add_completion=False, **options)
    app.callback()(lambda: None)
    return app


def load_command(name: str, command: LazyCommand) -> Any:  # noqa: ANN401
    """Import a command's function and return the click command with its options."""
    function: Callable[..., None] = resolve_name(command.target)
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command(name)(function)
    return typer.main.get_command(app)
