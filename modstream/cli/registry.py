"""`modstream models`: publish, list, show, promote, rollback."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from broker.publisher import Publisher
from models.card import ModelCard
from models.files import read_file
from models.registry import Registry
from modstream.cli.options import AsJson, Model
from modstream.cli.printing import print_json, rows, say
from modstream.roles.events import Action, model_event
from modstream.roles.registry import open_registry
from modstream.seed import seed as seed_models
from modstream.settings import Settings, load_settings
from producers.flights import load_flights

app = typer.Typer(help="Publish models and move the aliases that serve.", no_args_is_help=True)

Evidence = Annotated[str, typer.Option("--because", help="Why; kept in the history.")]
Alias = Annotated[str, typer.Option(help="The alias that moves.")]


@app.command()
def publish(
    name: Model,
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help=".onnx, .skops, .joblib or .pkl")
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
) -> None:
    """Publish a model file as the next version; it serves within seconds, without a restart.

    scikit-learn models are exported to ONNX and compared on golden rows; what cannot be exported
    is kept as skops. A pickle never leaves this machine.
    """
    settings = load_settings()
    draft, artifact = read_file(name, file, trust_pickle=trust, note=note)
    with open_registry(settings) as registry:
        card = registry.publish(draft, artifact, alias=None if no_alias else alias)
        tell(settings, card, "publish", None if no_alias else alias)
    say.print(f"published {card.name} version {card.version} ({card.runtime}, {card.size:,} bytes)")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the models with their newest version and their aliases."""
    with open_registry(load_settings()) as registry:
        found = [summary(registry, name) for name in registry.names()]
    rows(found, as_json=as_json, empty="no models yet; publish one: modstream models publish")


@app.command()
def show(
    name: Model,
    ref: Annotated[str, typer.Option("--version", "-v", help="A number or an alias.")] = "champion",
    history: Annotated[bool, typer.Option("--history", help="The aliases' moves instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the card of one version, or how the aliases moved."""
    with open_registry(load_settings()) as registry:
        if history:
            moves = [
                {
                    "at": f"{move.at:%Y-%m-%d %H:%M:%S}",
                    "action": move.action,
                    "alias": move.alias,
                    "from": move.old,
                    "to": move.new,
                    "because": move.evidence,
                }
                for move in registry.history(name)
            ]
            rows(moves, as_json=as_json, empty=f"no alias of {name} has moved yet")
            return
        card = registry.card(name, ref)
    if as_json:
        print_json(card.model_dump(mode="json"))
        return
    shown = card.model_dump(mode="json", exclude={"input_schema", "signature"})
    shown["features"] = ", ".join(f"{f.name}: {f.kind}" for f in card.input_schema.features)
    shown["signed"] = card.signature is not None
    facts = [{"": key.replace("_", " "), "card": _short(value)} for key, value in shown.items()]
    rows(facts, as_json=False, empty="")


@app.command()
def promote(name: Model, version: int, alias: Alias = "champion", because: Evidence = "") -> None:
    """Point an alias at a version."""
    settings = load_settings()
    with open_registry(settings) as registry:
        card = registry.promote(name, version, alias, evidence=because)
        tell(settings, card, "promote", alias, because)
    say.print(f"{alias} of {name} is version {card.version} now")


@app.command()
def rollback(name: Model, alias: Alias = "champion", because: Evidence = "") -> None:
    """Point an alias back at what it pointed at before its last move; again goes back further."""
    settings = load_settings()
    with open_registry(settings) as registry:
        card = registry.rollback(name, alias, evidence=because)
        tell(settings, card, "rollback", alias, because)
    say.print(f"{alias} of {name} is version {card.version} again")


@app.command()
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


def tell(
    settings: Settings, card: ModelCard, action: Action, alias: str | None, evidence: str = ""
) -> None:
    """Say on the model-events topic what happened."""
    with Publisher(settings.connection, "modstream-models") as publisher:
        topics = settings.topics()
        publisher.send(model_event(topics, card, action, alias=alias, evidence=evidence))
        publisher.flush()


def summary(registry: Registry, name: str) -> dict[str, object]:
    """One model as a row."""
    newest, aliases = registry.newest(name), registry.aliases(name)
    return {
        "model": name,
        "versions": newest.version if newest else 0,
        "runtime": newest.runtime if newest else "",
        "task": newest.task if newest else "",
        "aliases": ", ".join(f"{alias}: {version}" for alias, version in aliases.items()),
        "newest": f"{newest.created:%Y-%m-%d %H:%M:%S}" if newest else "",
    }


def _short(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {found}" for key, found in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "–" if value in (None, "") else str(value)
