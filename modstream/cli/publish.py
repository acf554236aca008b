"""`modstream models publish` and `seed`, which need the machine-learning libraries."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from modstream.cli.options import ModelArgument
from modstream.cli.output import stderr
from modstream.demo.seed import seed as seed_models
from modstream.models.importers.import_file import import_file
from modstream.models.importers.river import RiverDescription
from modstream.models.registry.refs import CHAMPION
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Feature
from modstream.producers.replay.flights import load_flights
from modstream.registry.access import open_registry
from modstream.registry.events import publish_event
from modstream.settings import load_settings


def publish(
    name: ModelArgument,
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help=".onnx, .skops, .river, .joblib or .pkl"),
    ],
    alias: Annotated[
        str | None, typer.Option(help="The alias to move to the new version.")
    ] = CHAMPION,
    no_alias: Annotated[
        bool, typer.Option("--no-alias", help="Publish the version without moving an alias to it.")
    ] = False,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust", help="Allow unpickling a .joblib or .pkl file, which can run any code here."
        ),
    ] = False,
    note: Annotated[str, typer.Option(help="A note that is kept with the version.")] = "",
    features: Annotated[
        list[str] | None,
        typer.Option(
            "--feature",
            "-f",
            metavar="NAME:KIND[:LOW:HIGH]",
            help="A feature of a River model, of kind float, int, bool or string; may be repeated.",
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            help="A class of a River model, as JSON; may be repeated.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Publish a model file as the next version; workers serve it in seconds, without a restart.

    A scikit-learn model is exported to ONNX and compared with the original on golden rows. If it
    cannot be exported, it is stored as skops. A pickle is never stored in the registry.
    """
    settings = load_settings()
    description = RiverDescription(
        tuple(map(parse_feature, features or ())), tuple(map(parse_class_label, classes or ()))
    )
    draft, artifact = import_file(
        name, file, trust_pickle=trust, note=note, description=description
    )
    with open_registry(settings) as registry:
        card = registry.publish(draft, artifact, alias=None if no_alias else alias)
        publish_event(settings, card, "publish", None if no_alias else alias)
    size = f"{card.size:,} bytes"
    stderr.print(f"published {card.name} version {card.version} ({card.runtime}, {size})")


def parse_feature(text: str) -> Feature:
    """Parse a feature given as NAME:KIND, or with its bounds as NAME:KIND:LOW:HIGH.

    Raises:
        typer.BadParameter: the text has neither form.
    """
    parts = dict(zip(("name", "kind", "low", "high"), text.split(":"), strict=False))
    try:
        return Feature.model_validate(parts)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not NAME:KIND or NAME:KIND:LOW:HIGH") from error


def parse_class_label(text: str) -> Scalar:
    """Parse a class label given as JSON; text that is not a JSON scalar is the label itself."""
    try:
        label = json.loads(text)
    except ValueError:
        return text
    return label if isinstance(label, bool | int | float | str) else text


def seed() -> None:
    """Create the stream's topics; train and publish the demo's two models if they are missing."""
    settings = load_settings()
    with open_registry(settings) as registry, Progress(console=stderr, transient=True) as progress:
        task = progress.add_task("starting", total=1.0)
        published = seed_models(
            settings,
            registry,
            load_flights,
            lambda activity, share: progress.update(task, description=activity, completed=share),
        )
    stderr.print(
        f"published {' and '.join(published)}" if published else "topics and models exist already"
    )
