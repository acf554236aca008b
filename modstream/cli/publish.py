"""`modstream models publish` and `seed`: what needs the libraries that models are made with."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from modstream.cli.options import Model
from modstream.cli.output import say
from modstream.demo.seed import seed as seed_models
from modstream.models.importers.files import read_file
from modstream.models.importers.river import Described
from modstream.models.schema.input_schema import Feature, Scalar
from modstream.producers.replay.flights import load_flights
from modstream.registry.access import open_registry
from modstream.registry.events import tell
from modstream.settings import load_settings


def publish(
    name: Model,
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help=".onnx, .skops, .river, .joblib or .pkl"),
    ],
    alias: Annotated[
        str | None, typer.Option(help="The alias that points at it at once.")
    ] = "champion",
    no_alias: Annotated[
        bool, typer.Option("--no-alias", help="Publish only; nothing serves it yet.")
    ] = False,
    trust: Annotated[
        bool,
        typer.Option(help="Unpickle a .joblib or .pkl file: it can run any code, here and now."),
    ] = False,
    note: Annotated[str, typer.Option(help="A line for the card.")] = "",
    features: Annotated[
        list[str] | None,
        typer.Option(
            "--feature",
            "-f",
            metavar="NAME:KIND[:LOW:HIGH]",
            help="A feature of a River model (float, int, bool, string); one option for each.",
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", help="A class of a River model, as JSON.", show_default=False),
    ] = None,
) -> None:
    """Publish a model file as the next version; it serves within seconds, without a restart.

    scikit-learn models are exported to ONNX and compared on golden rows; what cannot be exported
    is kept as skops. A pickle never leaves this machine.
    """
    settings = load_settings()
    described = Described(
        tuple(map(feature, features or ())), tuple(map(class_label, classes or ()))
    )
    draft, artifact = read_file(name, file, trust_pickle=trust, note=note, described=described)
    with open_registry(settings) as registry:
        card = registry.publish(draft, artifact, alias=None if no_alias else alias)
        tell(settings, card, "publish", None if no_alias else alias)
    say.print(f"published {card.name} version {card.version} ({card.runtime}, {card.size:,} bytes)")


def feature(text: str) -> Feature:
    """A feature as an option names it: NAME:KIND, or with its bounds NAME:KIND:LOW:HIGH."""
    parts = dict(zip(("name", "kind", "low", "high"), text.split(":"), strict=False))
    try:
        return Feature.model_validate(parts)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not NAME:KIND or NAME:KIND:LOW:HIGH") from error


def class_label(text: str) -> Scalar:
    """A class as an option names it: JSON, or else the word itself."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, bool | int | float | str) else text


def seed() -> None:
    """Create the stream's topics, train the demo's two models and publish them, where missing."""
    settings = load_settings()
    with open_registry(settings) as registry, Progress(console=say, transient=True) as progress:
        task = progress.add_task("starting", total=1.0)
        made = seed_models(
            settings,
            registry,
            load_flights,
            lambda doing, share: progress.update(task, description=doing, completed=share),
        )
    say.print(f"published {' and '.join(made)}" if made else "topics and models were there")
