"""Command groups that import a command only when it is called, so short commands start fast."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from modstream.terminal import escape_controls

SERVER_CHECK = "modstream.cli.servers:require_servers"
"""The check of `checks_servers`, as "module:function"."""
OFFLINE_OPTIONS = frozenset({"-h", "--help", "--dry-run"})
"""Options with which a command needs no server, or checks for them itself."""


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """A command that is not imported yet.

    `target` is its function as "module:function", `help` its line in the group's overview. With
    `allows_negative_numbers`, -1 is an argument and not an unknown option. With `checks_servers`,
    Kafka and Redis must answer before the libraries of the command are imported, which takes
    seconds.
    """

    target: str
    help: str
    panel: str = "Commands"
    allows_negative_numbers: bool = False
    checks_servers: bool = False


def no_options() -> None:
    """Accept no options before the name of a command."""


def lazy_group(
    commands: Mapping[str, LazyCommand],
    *,
    callback: Callable[..., None] = no_options,
    **options: Any,  # noqa: ANN401 - typer's
) -> typer.Typer:
    """Return a command group that imports a command only when it is called.

    Args:
        commands: the commands by name, in the order of the overview.
        callback: the function with the options that precede the name of a command.
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

        def invoke(self, ctx: Any) -> Any:  # noqa: ANN401
            """Run a command; what a usage error quotes does not steer the terminal."""
            try:
                return super().invoke(ctx)
            except TyperException as error:
                error.message = escape_controls(error.message)
                raise

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401
            name, command, rest = super().resolve_command(ctx, args)
            if name is not None and name in commands:
                if commands[name].checks_servers and OFFLINE_OPTIONS.isdisjoint(rest):
                    resolve_name(SERVER_CHECK)()
                command = load_command(name, commands[name])
            return name, command, rest

    app = typer.Typer(cls=LazyGroup, no_args_is_help=True, add_completion=False, **options)
    app.callback()(callback)
    return app


def load_command(name: str, command: LazyCommand) -> Any:  # noqa: ANN401
    """Import a command's function and return the click command with its options."""
    function: Callable[..., None] = resolve_name(command.target)
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command(name, context_settings={"ignore_unknown_options": command.allows_negative_numbers})(
        function
    )
    return typer.main.get_command(app)
