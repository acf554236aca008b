"""`modstream models mean`, which publishes the mean of versions that are published already."""

from collections.abc import Sequence
from math import inf
from typing import Annotated

import typer

from modstream.cli.names import open_models
from modstream.cli.options import JsonOption, ModelArgument
from modstream.cli.output import stderr
from modstream.cli.publish import publish_tried, try_imported
from modstream.cli.publish_options import (
    AliasOption,
    NoAliasOption,
    NoteOption,
    SampleOption,
    TrialOnlyOption,
    describe_model,
)
from modstream.cli.servers import require_kafka, require_redis
from modstream.models.importers.mean import import_mean
from modstream.models.registry.refs import CHAMPION
from modstream.models.registry.registry import Registry
from modstream.models.runtimes.mean.artifact import MeanPart
from modstream.registry.trust import load_trust
from modstream.settings import Settings, load_settings


def mean(
    name: ModelArgument,
    parts: Annotated[
        list[str],
        typer.Argument(
            metavar="PART...",
            help="Versions to average: a number or an alias of the model, or MODEL:VERSION.",
        ),
    ],
    weight: Annotated[
        list[float] | None,
        typer.Option(
            "--weight", "-w", help="A weight for each part, in their order.", show_default=False
        ),
    ] = None,
    alias: AliasOption = CHAMPION,
    no_alias: NoAliasOption = False,
    dry_run: TrialOnlyOption = False,
    note: NoteOption = "",
    sample: SampleOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish the mean of published versions as the next version of a model.

    Probabilities are averaged by their log-odds, those of several classes by their logarithms,
    values as they are. The version holds the artifacts of its parts as they are now, has the
    features of all of them, and is tried like any other.
    """
    weights = weight or [1.0] * len(parts)
    if len(weights) != len(parts) or not all(0 < one < inf for one in weights):
        raise typer.BadParameter("give a positive --weight for each part, or none at all")
    settings = load_settings()
    require_redis(settings)
    if not dry_run:
        require_kafka(settings)
    description = describe_model(None, None, (), (), sample)
    with open_models(settings) as registry, stderr.status("trying the model"):
        found = fetch_parts(settings, registry, name, list(zip(parts, weights, strict=True)))
        imported = import_mean(name, found, description, note)
        tried = try_imported(imported, settings, has_sample=sample is not None)
    publish_tried(settings, tried, None if no_alias else alias, dry_run=dry_run, as_json=as_json)


def fetch_parts(
    settings: Settings, registry: Registry, name: str, parts: Sequence[tuple[str, float]]
) -> list[MeanPart]:
    """Return versions with their artifacts and weights; only trusted ones become parts.

    Raises:
        ModelNotFound: there is no such version.
        UntrustedModel: no trusted key has signed a version.
        RegistryError: an artifact is no longer stored.
    """
    trust, found = load_trust(settings), []
    for part, weight in parts:
        model, _, ref = part.rpartition(":")
        card = registry.card(model or name, ref)
        trust.verify(card)
        found.append(MeanPart(card, registry.artifact(card).content, weight))
    return found
