"""Publishing of a pipeline: its definition becomes a version, like that of a model."""

from collections.abc import Mapping
from types import MappingProxyType

from modstream.models.pipelines.checks import CheckedPipeline
from modstream.models.pipelines.definition import PIPELINE
from modstream.models.pipelines.kinds import ValueKind
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import ScoreKind, TensorDatatype, TensorSpec
from modstream.models.schema.version_spec import VersionSpec
from modstream.registry.events import publish_event
from modstream.registry.publishing import Publication
from modstream.settings import Settings

DATATYPES: Mapping[ValueKind, TensorDatatype] = MappingProxyType(
    {"float": "FP64", "int": "INT64", "bool": "BOOL", "string": "BYTES", "mapping": "FP64"}
)
"""The datatype of the entries of an answer in the Open Inference Protocol, by their kind."""
SHAPES: Mapping[ValueKind, tuple[None, ...]] = MappingProxyType({"mapping": (None, None)})
"""The shapes of those that are not [n]."""


def spec_of(checked: CheckedPipeline, note: str = "") -> VersionSpec:
    """Return what a pipeline is in the registry; its tensors are the entries of its answers."""
    definition = checked.definition
    has_scores = "probability" in definition.output or "probabilities" in definition.output
    scores: ScoreKind = "probability" if has_scores else "none"
    return VersionSpec(
        name=definition.name,
        runtime=PIPELINE,
        task=definition.task,
        classes=tuple(definition.classes),
        scores=scores,
        output_tensors=tuple(
            TensorSpec(name=name, datatype=DATATYPES[kind], shape=SHAPES.get(kind, (None,)))
            for name, kind in checked.outputs.items()
        ),
        input_schema=definition.input_schema,
        note=note or definition.description,
    )


def publish_pipeline(
    settings: Settings,
    registry: Registry,
    content: bytes,
    spec: VersionSpec,
    alias: str | None,
) -> Publication:
    """Publish a checked definition, move the alias to it, and announce it.

    If the newest version has the same definition, nothing changes.
    """
    newest = registry.newest(spec.name)
    card = registry.publish(spec, content, alias=alias)
    current = None if alias is None else registry.aliases(card.name).get(alias)
    publish_event(settings, card, "publish", alias if current == card.version else None)
    return Publication(card, newest is None or card.version > newest.version, current)
