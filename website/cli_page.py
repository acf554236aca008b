"""The page of all commands, from the declarations of the command line."""

from collections.abc import Iterator, Mapping
from inspect import cleandoc
from typing import Any

import typer

from modstream.cli.app import (
    COMMANDS,
    DATA,
    DLQ,
    EXPERIMENTS,
    FEATURES,
    KEYS,
    LOG,
    MODELS,
    PIPELINES,
    PRIVACY,
    QUARANTINE,
    RETRAININGS,
    TOPICS,
    VIEWS,
)
from modstream.cli.lazy import LazyCommand, load_command
from website.markdown import cell, code, fence, table

HEAD = """\
# Commands

Generated from the declarations of the commands: `modstream COMMAND --help` prints the same.
`modstream --version` prints the version.
"""
GROUPS: Mapping[str, Mapping[str, LazyCommand]] = {
    "models": MODELS,
    "pipelines": PIPELINES,
    "data": DATA,
    "features": FEATURES,
    "experiments": EXPERIMENTS,
    "retrainings": RETRAININGS,
    "topics": TOPICS,
    "dlq": DLQ,
    "quarantine": QUARANTINE,
    "log": LOG,
    "views": VIEWS,
    "privacy": PRIVACY,
    "keys": KEYS,
}
"""The groups of commands by name."""


def cli_page() -> str:
    """Return the page."""
    return HEAD + "".join(_sections())


def _sections() -> Iterator[str]:
    panels: dict[str, dict[str, LazyCommand]] = {}
    for name, command in COMMANDS.items():
        panels.setdefault(command.panel, {})[name] = command
    for panel, members in panels.items():
        yield f"\n## {panel}\n"
        yield from (_command(name, command) for name, command in members.items())
    for group, grouped in GROUPS.items():
        yield f"\n## modstream {group}\n"
        yield from (_command(f"{group} {name}", command) for name, command in grouped.items())


def _command(path: str, lazy: LazyCommand) -> str:
    command = load_command(path.rpartition(" ")[2], lazy)
    context = typer.Context(command, info_name=f"modstream {path}")
    usage = " ".join(command.get_usage(context).removeprefix("Usage: ").split())
    arguments, options = _parameters(command, context)
    return "\n".join(
        part
        for part in (
            f"\n### modstream {path}\n",
            fence("text", usage),
            f"{_text(command.help or lazy.help)}\n",
            table(("argument", "meaning"), arguments),
            table(("option", "meaning"), options),
        )
        if part
    )


def _parameters(command: Any, context: typer.Context) -> tuple[list[Any], list[Any]]:  # noqa: ANN401
    """Return the rows of the arguments and those of the options; both have names and a text."""
    rows: dict[str, list[Any]] = {"argument": [], "option": []}
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None and parameter.name != "help":
            names, text = record
            rows[parameter.param_type_name].append((code(_without_type(names)), cell(_text(text))))
    return rows["argument"], rows["option"]


def _without_type(names: str) -> str:
    """Return the names of a parameter without the Python type behind an argument's."""
    return names.partition(" <list[")[0]


def _text(text: str) -> str:
    """Return a help text, in which square brackets and angle brackets are no markup."""
    return cleandoc(text).replace("<", r"\<").replace("*", r"\*")
