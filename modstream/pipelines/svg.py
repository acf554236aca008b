"""A pipeline as an SVG drawing: layers from left to right, a box for each part.

A line that passes layers has a lane of its own in each of them, so that it crosses no box.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape

from modstream.models.pipelines.pipeline import Pipeline
from modstream.models.pipelines.references import REQUEST
from modstream.pipelines.layout import OUTPUT, Node, nodes_of

WIDTH, LINE, PADDING = 250, 16, 10
"""Width of a box, height of a line, and padding in a box, in pixels."""
GAP_X, GAP_Y, MARGIN, LANE = 56, 24, 24, 6
"""Gaps between layers and between boxes, margin of the drawing, height of a lane."""
MAX_LINES, MAX_CHARACTERS = 9, 34
KINDS = ("request", "model", "transform", "output")
"""Kinds of parts that have a colour of their own, by the first word of their kind."""
OTHER_KIND = "other"
TITLES = {REQUEST: "its features", OUTPUT: "its outputs"}
"""What the boxes of the request and the answer hold."""
STYLE = """text{font-family:system-ui,'DejaVu Sans',sans-serif;font-size:12px;fill:#1f2933}
.name{font-weight:bold}.kind{fill:#52606d}
.line{font-family:ui-monospace,'DejaVu Sans Mono',monospace;font-size:11px}
rect{stroke:#9aa5b1}.paper{fill:#fff;stroke:none}.tip{fill:#7b8794}
.request rect,.output rect{fill:#eef2f7}.model rect{fill:#e3eefc}.transform rect{fill:#f6f1e3}
.other rect{fill:#e9f5e9}.shadow rect{stroke-dasharray:5 4}
path{fill:none;stroke:#7b8794;stroke-width:1.3}.when{stroke-dasharray:4 4}"""


@dataclass(frozen=True, slots=True)
class Box:
    """A part at its place, in pixels; without a node it is a lane, whose lines pass the layer."""

    node: Node | None
    lines: tuple[str, ...]
    x: int
    y: int
    height: int

    @property
    def port(self) -> int:
        """The height at which lines arrive and leave."""
        return self.y + (LANE // 2 if self.node is None else PADDING + LINE)


Key = tuple[str, int]
"""A part's name and a layer: its own, or one that lines from it pass."""


def as_svg(pipeline: Pipeline) -> str:
    """Return the drawing of a pipeline, with its styles."""
    return _drawing(pipeline, nodes_of(pipeline), f"<style>{STYLE}</style>")


def as_inline_svg(pipeline: Pipeline, remarks: Mapping[str, str]) -> str:
    """Return the drawing for a page that has the styles, with a remark in some steps' boxes."""
    nodes = [
        replace(node, lines=(*node.lines, remarks[node.name])) if node.name in remarks else node
        for node in nodes_of(pipeline)
    ]
    return _drawing(pipeline, nodes, "")


def _drawing(pipeline: Pipeline, nodes: Sequence[Node], style: str) -> str:
    boxes = place(nodes)
    width = max(box.x for box in boxes.values()) + WIDTH + MARGIN
    height = max(box.y + box.height for box in boxes.values()) + MARGIN
    name = escape(pipeline.definition.name)
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="pipeline" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}" role="img" aria-label="pipeline {name}">'
    )
    return "\n".join(
        [
            opening,
            f"<title>{name}</title>{style}",
            f'<rect class="paper" width="{width}" height="{height}"/>',
            *_lines_between(nodes, boxes),
            *(line for box in boxes.values() for line in _box(box)),
            "</svg>",
            "",
        ]
    )


def place(nodes: Sequence[Node]) -> dict[Key, Box]:
    """Return a box for each part, and for each lane: a column for each layer, centred."""
    layers: defaultdict[int, dict[Key, Node | None]] = defaultdict(dict)
    layer_of = {node.name: node.layer for node in nodes}
    before: defaultdict[Key, list[Key]] = defaultdict(list)
    for node in nodes:
        layers[node.layer][node.name, node.layer] = node
        for source in (*node.sources, *node.watched):
            for layer in range(layer_of[source] + 1, node.layer):
                layers[layer][source, layer] = None
                before[source, layer] = [(source, layer - 1)]
            before[node.name, node.layer].append((source, node.layer - 1))
    boxes: dict[Key, Box] = {}
    tallest = max(sum(map(_height, found.values())) for found in layers.values())
    for layer, found in sorted(layers.items()):
        keys = sorted(found, key=lambda key: _mean([boxes[one].port for one in before[key]]))
        y = MARGIN + (tallest - sum(map(_height, found.values()))) // 2
        for key in keys:
            part = found[key]
            lines = _shortened(part.lines) if part is not None else ()
            height = _height(part) - GAP_Y
            boxes[key] = Box(part, lines, MARGIN + layer * (WIDTH + GAP_X), y, height)
            y += height + GAP_Y
    return boxes


def _height(node: Node | None) -> int:
    """Return the height of a box, name and kind and then its lines, with the gap below it."""
    lines = 0 if node is None else len(_shortened(node.lines))
    return GAP_Y + (LANE if node is None else 2 * PADDING + LINE * (2 + lines))


def _mean(values: Sequence[int]) -> float:
    return sum(values) / len(values) if values else 0.0


def _shortened(lines: Sequence[str]) -> tuple[str, ...]:
    kept = [
        line if len(line) <= MAX_CHARACTERS else f"{line[: MAX_CHARACTERS - 1]}…" for line in lines
    ]
    if len(kept) > MAX_LINES:
        kept = [*kept[: MAX_LINES - 1], f"and {len(kept) - MAX_LINES + 1} more"]
    return tuple(kept)


def _lines_between(nodes: Sequence[Node], boxes: dict[Key, Box]) -> Iterator[str]:
    layer_of = {node.name: node.layer for node in nodes}
    for node in nodes:
        for source in (*node.sources, *node.watched):
            lanes = [boxes[source, layer] for layer in range(layer_of[source], node.layer)]
            attribute = "" if source in node.sources else ' class="when"'
            yield from _line([*lanes, boxes[node.name, node.layer]], attribute)


def _line(path: Sequence[Box], attribute: str) -> Iterator[str]:
    """Yield a line from the right side of one box to the left side of the last, and its tip."""
    x, y = path[0].x + WIDTH, path[0].port
    parts = [f"M{x} {y}"]
    for box in path[1:]:
        middle = x + GAP_X // 2
        parts.append(f"C{middle} {y}, {middle} {box.port}, {box.x} {box.port}")
        x, y = box.x + WIDTH, box.port
        if box.node is None:
            parts.append(f"L{x} {y}")
    end = path[-1]
    yield f'<path{attribute} d="{" ".join(parts)}"/>'
    tip = f"{end.x} {end.port}, {end.x - 8} {end.port - 4}, {end.x - 8} {end.port + 4}"
    yield f'<polygon class="tip" points="{tip}"/>'


def _box(box: Box) -> Iterator[str]:
    node = box.node
    if node is None:
        return
    kind = node.kind.split()[0]
    shade = kind if kind in KINDS else OTHER_KIND
    yield f'<g class="{shade}{" shadow" if node.is_shadow else ""}">'
    yield f"<title>{escape(chr(10).join(node.lines))}</title>"
    yield f'<rect x="{box.x}" y="{box.y}" width="{WIDTH}" height="{box.height}" rx="7"/>'
    x, y = box.x + PADDING, box.y + PADDING + LINE - 4
    title = "answer" if node.name == OUTPUT else node.name
    yield f'<text class="name" x="{x}" y="{y}">{escape(title)}</text>'
    subtitle = TITLES.get(node.name, node.kind)
    subtitle += ", shadow" if node.is_shadow else ""
    yield f'<text class="kind" x="{x}" y="{y + LINE}">{escape(_shortened([subtitle])[0])}</text>'
    for number, line in enumerate(box.lines, 2):
        yield f'<text class="line" x="{x}" y="{y + LINE * number}">{escape(line)}</text>'
    yield "</g>"
