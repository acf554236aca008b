"""The arguments of `modstream predict`, and what the registry knows about the model asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import typer

from modstream.broker.wire.contracts import Request
from modstream.cli.input_rows import STANDARD_INPUT
from modstream.cli.names import unknown_model
from modstream.cli.options import check_stream
from modstream.cli.output import stderr
from modstream.cli.row_values import RowParser
from modstream.models.errors import ModelError
from modstream.models.registry.errors import ModelNotFound, RegistryUnavailable
from modstream.models.registry.refs import CHAMPION
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import ModelCard
from modstream.settings import Settings, load_settings

USAGE = "give the values of a row as NAME=VALUE, a file of rows, or - for standard input"

MakeRequest = Callable[[int, Mapping[str, Any]], Request]
"""Makes the request for a row, given its number and its values. Raises InvalidValue."""


@dataclass(frozen=True, slots=True)
class AskedModel:
    """The stream that is asked, and the model; `model` is None for the models of the route."""

    settings: Settings
    model: str | None = None
    version: int | str = CHAMPION

    @property
    def models(self) -> tuple[str, ...]:
        """The models that should answer, the primary model first."""
        return (self.model,) if self.model else self.settings.models


def split_arguments(arguments: list[str]) -> tuple[str | None, dict[str, str], str | None]:
    """Return the stream, the values of a row by name, and the file of rows.

    The stream is None if it is not given, the file if there are values.

    Raises:
        typer.BadParameter: there is neither a row nor a file, or both.
    """
    stream, rest = None, arguments
    if "=" not in arguments[0] and arguments[0] != STANDARD_INPUT:
        stream, rest = arguments[0], arguments[1:]
        if not rest and Path(stream).is_file():
            raise typer.BadParameter(f"name the stream first: modstream predict STREAM {stream}")
        check_stream(stream)
    if not rest:
        raise typer.BadParameter(f"there is no row: {USAGE}")
    if len(rest) == 1 and ("=" not in rest[0] or Path(rest[0]).is_file()):
        return stream, {}, rest[0]
    texts: dict[str, str] = {}
    for argument in rest:
        name, equals, text = argument.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{argument!r} is not NAME=VALUE: {USAGE}")
        if name in texts:
            raise typer.BadParameter(f"{name!r} is given twice: give each feature once")
        texts[name] = text
    return stream, texts, None


def load_stream_settings(stream: str | None) -> Settings:
    """Return the settings of a stream; the configured route is that of the configured stream."""
    settings = load_settings()
    if stream is None or stream == settings.stream:
        return settings
    return settings.model_copy(update={"stream": stream, "route": ()})


def find_card(registry: Registry, target: AskedModel) -> ModelCard | None:
    """Return the card of the version that is asked first; None if it is not known.

    Raises:
        UnknownName: the model or version that the user names does not exist.
    """
    try:
        return registry.card(target.models[0], target.version)
    except ModelNotFound as error:
        if target.model is not None or target.version != CHAMPION:
            raise unknown_model(registry, error.name, error.ref) from None
        _note(f"model {error.name} is not published yet, so values are read as JSON")
        return None
    except RegistryUnavailable:
        _note("the model registry does not answer, so values are read as JSON")
        return None
    except ModelError:
        return None


def request_maker(target: AskedModel, parser: RowParser) -> MakeRequest:
    """Return a function that makes requests whose ids begin with a random name of this run."""
    run_id = token_hex(8)

    def make(number: int, row: Mapping[str, Any]) -> Request:
        return parser.request(f"{run_id}-{number}", row, target.model, target.version)

    return make


def _note(text: str) -> None:
    stderr.print(text, style="dim", markup=False, highlight=False)
