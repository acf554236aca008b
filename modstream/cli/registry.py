"""`modstream models`: list, show, promote, rollback."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from modstream.audit.decisions import told_of
from modstream.cli.options import AsJson, Model
from modstream.cli.output import print_json, rows, say
from modstream.models.registry.registry import Registry
from modstream.registry.access import open_registry
from modstream.registry.events import tell
from modstream.settings import Settings, load_settings

Evidence = Annotated[str, typer.Option("--because", help="Why; kept in the history.")]
Alias = Annotated[str, typer.Option(help="The alias that moves.")]


def list_(as_json: AsJson = False) -> None:
    """List the models with their newest version and their aliases."""
    with open_registry(load_settings()) as registry:
        found = [summary(registry, name) for name in registry.names()]
    rows(found, as_json=as_json, empty="no models yet; publish one: modstream models publish")


def show(
    name: Model,
    ref: Annotated[str, typer.Option("--version", "-v", help="A number or an alias.")] = "champion",
    history: Annotated[bool, typer.Option("--history", help="The aliases' moves instead.")] = False,
    decisions: Annotated[
        bool, typer.Option("--decisions", help="What its gate decided, and by what, instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the card of one version, how the aliases moved, or what the gate decided."""
    settings = load_settings()
    if decisions:
        shown_decisions(settings, name, as_json=as_json)
        return
    with open_registry(settings) as registry:
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


def shown_decisions(settings: Settings, name: str, *, as_json: bool) -> None:
    """Print the decisions of a model's gate, oldest first, with their evidence."""
    found = [asdict(one) for one in told_of(settings.connection, settings.topics(), name)]
    if not as_json:
        found = [
            {
                "at": f"{datetime.fromtimestamp(one['at'] / 1000, UTC):%Y-%m-%d %H:%M:%S}",
                "action": one["action"],
                "from": one["former"],
                "to": f"{one['member']} (version {one['version']})",
                "because": one["because"],
            }
            for one in found
        ]
    rows(found, as_json=as_json, empty=f"no gate has decided about {name} yet")


def promote(name: Model, version: int, alias: Alias = "champion", because: Evidence = "") -> None:
    """Point an alias at a version."""
    settings = load_settings()
    with open_registry(settings) as registry:
        card = registry.promote(name, version, alias, evidence=because)
        tell(settings, card, "promote", alias, because)
    say.print(f"{alias} of {name} is version {card.version} now")


def rollback(name: Model, alias: Alias = "champion", because: Evidence = "") -> None:
    """Point an alias back at what it pointed at before its last move; again goes back further."""
    settings = load_settings()
    with open_registry(settings) as registry:
        card = registry.rollback(name, alias, evidence=because)
        tell(settings, card, "rollback", alias, because)
    say.print(f"{alias} of {name} is version {card.version} again")


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
