"""The graph of a pipeline for people: its parts, and the layers that they are drawn in."""

from collections.abc import Sequence
from dataclasses import dataclass

from modstream.models.pipelines.pipeline import Pipeline
from modstream.models.pipelines.references import REQUEST
from modstream.models.pipelines.step_definitions import (
    AnyStep,
    EnsembleStep,
    ModelStep,
    TransformStep,
)
from modstream.models.pipelines.steps import ParsedStep

OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a pipeline: the request, a step, or the answer.

    `sources` are the parts that it takes values from, `watched` those that only its predicate
    reads. `layer` is its distance from the request.
    """

    name: str
    kind: str
    lines: tuple[str, ...]
    sources: tuple[str, ...]
    watched: tuple[str, ...]
    layer: int
    is_shadow: bool = False


def nodes_of(pipeline: Pipeline) -> list[Node]:
    """Return the parts of a pipeline: the request, the steps in their order, the answer."""
    features = pipeline.definition.input_schema.features
    inputs = tuple(f"{one.name}: {one.kind}{' or missing' * one.missing}" for one in features)
    nodes = {REQUEST: Node(REQUEST, REQUEST, inputs, (), (), 0)}
    for step in pipeline.steps:
        sources = [one.source for one in step.taken]
        if isinstance(step.definition, ModelStep) and step.inputs is None:
            sources = [REQUEST]
        taken = tuple(dict.fromkeys(sources))
        watched = dict.fromkeys(one.source for one in step.read if one.source not in taken)
        layer = 1 + max((nodes[one].layer for one in (*taken, *watched)), default=0)
        is_shadow = step.definition.shadow
        nodes[step.name] = Node(
            step.name, kind_of(step), lines_of(step), taken, tuple(watched), layer, is_shadow
        )
    last = 1 + max(node.layer for node in nodes.values())
    sources = list(dict.fromkeys(output.reference.source for output in pipeline.outputs))
    entries = tuple(f"{one.name} = {one.reference}" for one in pipeline.outputs)
    return [*nodes.values(), Node(OUTPUT, OUTPUT, entries, tuple(sources), (), last)]


def kind_of(step: ParsedStep) -> str:
    """Return what a step is, in a few words."""
    match step.definition:
        case ModelStep(model=model, version=version):
            return f"model {model} {version}"
        case TransformStep():
            return "transform"
        case EnsembleStep(ensemble=kind):
            return kind
        case AnyStep():
            return "any"
    return ""


def lines_of(step: ParsedStep) -> tuple[str, ...]:
    """Return what a step does, line by line."""
    definition = step.definition
    lines: list[str] = []
    match definition:
        case ModelStep(inputs=inputs):
            names = inputs or {}
            lines += [f"{name} = {text}" for name, text in names.items()]
            lines += ["the request's features by their names"] if inputs is None else []
        case TransformStep(transform=values):
            for name, value in values.items():
                text = value if isinstance(value, str) else _describe(value)
                lines.append(f"{name} = {text}")
        case EnsembleStep(members=members, weights=weights):
            factors: Sequence[float | None] = weights or [None] * len(members)
            for member, weight in zip(members, factors, strict=True):
                lines.append(member if weight is None else f"{weight:g} x {member}")
        case AnyStep(any=values):
            lines += [f"{number}. {one}" for number, one in enumerate(values, 1)]
    if definition.when is not None:
        lines.append(f"when {definition.when}")
    if definition.on_error == "default":
        defaults = ", ".join(f"{name} = {one}" for name, one in (definition.default or {}).items())
        lines.append(f"on error: {defaults}")
    elif definition.on_error == "skip":
        lines.append("on error: no output")
    return tuple(lines)


def _describe(value: object) -> str:
    name = type(value).__name__.lower()
    return f"{name} of {getattr(value, name)}"
