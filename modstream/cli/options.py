"""Arguments and options that several commands share."""

import re
from typing import Annotated, TypeVar

import typer

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_STREAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,63}")

MAX_LIMIT = 1_000_000
"""The largest number of records that a command lists."""

Names = TypeVar("Names", str | None, list[str] | None)


def check_model(names: Names) -> Names:
    """Return the name of a model, or several of them, as they are.

    Raises:
        typer.BadParameter: no model can have this name.
    """
    return _check(names, _MODEL, "a model", "at most 100 letters, digits and . _ -")


def check_stream(name: str | None) -> str | None:
    """Return the name of a stream as it is.

    Raises:
        typer.BadParameter: no topic can have this name.
    """
    return _check(name, _STREAM, "a stream", "at most 200 letters, digits and . _ -")


def check_alias(name: str | None) -> str | None:
    """Return the name of an alias as it is.

    Raises:
        typer.BadParameter: no alias can have this name.
    """
    return _check(name, _ALIAS, "an alias", "a lower-case word such as champion")


def _check(names: Names, pattern: re.Pattern[str], kind: str, rule: str) -> Names:
    given = [names] if isinstance(names, str) else names or []
    for name in given:
        if not pattern.fullmatch(name):
            shown = name if len(name) <= 100 else f"{name[:100]}…"
            raise typer.BadParameter(f"{shown!r} cannot be the name of {kind}: use {rule}")
    return names


StreamArgument = Annotated[
    str | None,
    typer.Argument(
        help="The stream; by default the one in the settings.",
        show_default=False,
        callback=check_stream,
    ),
]
ModelArgument = Annotated[str, typer.Argument(help="The model's name.", callback=check_model)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
RouteOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "-m",
        help="A model of the route; may be repeated, the primary model first.",
        show_default=False,
        callback=check_model,
    ),
]
ReasonOption = Annotated[str, typer.Option("--reason", help="The reason; kept in the history.")]
