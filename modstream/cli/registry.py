"""`modstream models`: list, show, promote, rollback."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from modstream.audit.decisions import read_gate_decisions
from modstream.cli.names import open_models
from modstream.cli.options import JsonOption, ModelArgument, ReasonOption, check_alias
from modstream.cli.output import format_cell, print_json, print_rows, printable, stderr
from modstream.cli.output_names import describe_outputs
from modstream.cli.servers import require_kafka, require_stream
from modstream.cli.time_options import format_time
from modstream.features.names import feature_names
from modstream.models.registry.refs import CHAMPION, DEFAULT_ALIAS
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import ModelCard
from modstream.registry import alias_moves
from modstream.registry.alias_moves import AliasChange
from modstream.settings import Settings, load_settings

AliasOption = Annotated[str, typer.Option(help="The alias to move.", callback=check_alias)]


def list_(as_json: JsonOption = False) -> None:
    """List the models with their newest version and their aliases."""
    with open_models(load_settings()) as registry:
        models = [summarize_model(registry, name) for name in registry.names()]
    print_rows(
        models, as_json=as_json, empty="no models yet; publish one: modstream models publish"
    )


def show(
    name: ModelArgument,
    ref: Annotated[
        str, typer.Option("--version", "-v", help="A version number or an alias.")
    ] = DEFAULT_ALIAS,
    history: Annotated[
        bool, typer.Option("--history", help="Show the history of the aliases instead.")
    ] = False,
    decisions: Annotated[
        bool, typer.Option("--decisions", help="Show the promotion gate's decisions instead.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the card of a version, the history of the aliases, or the gate's decisions."""
    settings = load_settings()
    if decisions:
        require_stream(settings)
        print_gate_decisions(settings, name, as_json=as_json)
        return
    with open_models(settings) as registry:
        if history:
            moves = [
                {
                    "at": f"{move.at:%Y-%m-%d %H:%M:%S}",
                    "action": move.action,
                    "alias": move.alias,
                    "from": move.old,
                    "to": move.new,
                    "user": move.user,
                    "reason": move.reason,
                }
                for move in registry.history(name)
            ]
            print_rows(moves, as_json=as_json, empty=f"no alias of {name} has moved yet")
            return
        card = registry.card(name, ref)
    added = feature_names(settings)
    if as_json:
        of_stream = [one for one in card.input_schema.names if one in added]
        print_json(card.model_dump(mode="json") | {"stream_features": of_stream})
        return
    rows = [{"": key, "card": value} for key, value in describe_card(card, added)]
    print_rows(rows, as_json=False, empty="")


def describe_card(
    card: ModelCard, added: frozenset[str] = frozenset()
) -> Iterator[tuple[str, str]]:
    """Yield the fields of a card that say something, as text.

    `added` are the names of the features that the stream adds to requests.
    """
    fields = card.model_dump(mode="json", exclude={"input_schema", "signature", "sample_rows"})
    fields["outputs"] = [f"{name}: {meaning}" for name, meaning in describe_outputs(card)]
    fields["features"] = [
        f"{one.name}: {one.kind}{', may be missing' if one.missing else ''}"
        f"{', added by the stream' if one.name in added else ''}"
        for one in card.input_schema.features
    ]
    fields["parts"] = [
        f"{one.weight:g} of {one.candidate or one.name} {one.version}" for one in card.parts
    ]
    fields["example"] = json.dumps(card.sample_rows[0]) if card.sample_rows else None
    fields["signed"] = card.signature is not None
    for key, value in fields.items():
        if value or key in {"signed", "parent"}:
            yield key.replace("_", " "), printable(_short(value))


def print_gate_decisions(settings: Settings, name: str, *, as_json: bool) -> None:
    """Print the decisions of a model's promotion gate, oldest first, with their evidence."""
    decisions = read_gate_decisions(settings.connection, settings.topics(), name)
    rows = (
        [{**asdict(decision), "evidence": decision.evidence.model_dump()} for decision in decisions]
        if as_json
        else [
            {
                "at": format_time(decision.decided_at),
                "action": decision.action,
                "from": decision.evidence.champion,
                "to": f"{decision.evidence.candidate} (version {decision.version})",
                "reason": decision.reason,
            }
            for decision in decisions
        ]
    )
    print_rows(rows, as_json=as_json, empty=f"the gate of {name} has made no decision yet")


def promote(
    name: ModelArgument,
    version: Annotated[int, typer.Argument(help="The version's number.")],
    alias: AliasOption = CHAMPION,
    reason: ReasonOption = "",
) -> None:
    """Move an alias to a version, once it has passed a trial in a process of its own."""
    settings = load_settings()
    require_kafka(settings)
    with open_models(settings) as registry:
        change = AliasChange(name, alias, reason=reason)
        card = alias_moves.promote(settings, registry, change, version)
    stderr.print(f"{alias} of {name} is version {card.version} now")


def rollback(name: ModelArgument, alias: AliasOption = CHAMPION, reason: ReasonOption = "") -> None:
    """Move an alias back to its previous version; repeated rollbacks go back further."""
    settings = load_settings()
    require_kafka(settings)
    with open_models(settings) as registry:
        change = AliasChange(name, alias, reason=reason)
        card = alias_moves.roll_back(settings, registry, change)
    stderr.print(f"{alias} of {name} is version {card.version} again")


def summarize_model(registry: Registry, name: str) -> dict[str, object]:
    """Return a model's row of the list: newest version, runtime, task and aliases."""
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
        return ", ".join(f"{key}: {_figure(key, found)}" for key, found in value.items())
    if isinstance(value, list):
        return "; ".join(_short(one) for one in value)
    return "–" if value in (None, "") else str(value)


def _figure(name: str, value: object) -> str:
    """Return a metric or another field of a mapping; `event_time` is a time in ms."""
    if name == "event_time" and isinstance(value, float):
        return format_time(int(value))
    is_whole = isinstance(value, float) and value.is_integer()
    return format_cell(value) if is_whole else str(value)
