"""A pipeline as text."""

from collections.abc import Iterator

from modstream.models.pipelines.pipeline import Pipeline
from modstream.pipelines.layout import Node, nodes_of


def as_text(pipeline: Pipeline) -> str:
    """Return a pipeline as lines of text: each part, what it takes from where, and what it does."""
    definition = pipeline.definition
    heading = [definition.name, *([definition.description] if definition.description else [])]
    parts = [line for node in nodes_of(pipeline) for line in _lines(node)]
    return "\n".join([*heading, "", *parts])


def _lines(node: Node) -> Iterator[str]:
    kind = "" if node.kind == node.name else f"  {node.kind}"
    shadow = "  (shadow: recorded, counts for nothing)" if node.is_shadow else ""
    yield f"{node.name}{kind}{shadow}"
    if node.sources:
        yield f"│   from {', '.join(node.sources)}"
    for line in node.lines:
        yield f"│   {line}"
    yield ""
