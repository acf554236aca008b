"""Drawings of a data set's page, as inline SVG with the colours of the style sheet."""

from collections.abc import Callable, Sequence
from html import escape
from math import isfinite

from modstream.models.datasets.associations import Matrix
from modstream.models.datasets.column_profiles import ColumnProfile, Histogram

WIDTH, HEIGHT = 260, 84
SPARK_WIDTH, SPARK_HEIGHT = 96, 22
CELL, LABELS, HEAD = 22, 112, 92
"""Sizes in the matrices: of a cell, of the names of rows, of the names of columns."""
MAX_NAME = 16


def draw_histogram(histogram: Histogram, low: str, high: str) -> str:
    """Return a histogram with the texts of its ends."""
    bars = _bars(histogram.counts, WIDTH, HEIGHT)
    label = f"histogram from {low} to {high}"
    axis = (
        f'<line class="axis" x1="0" x2="{WIDTH}" y1="{HEIGHT}" y2="{HEIGHT}"/>'
        f'<text class="end" x="0" y="{HEIGHT + 14}">{escape(low)}</text>'
        f'<text class="end" x="{WIDTH}" y="{HEIGHT + 14}" text-anchor="end">{escape(high)}</text>'
    )
    return _svg(WIDTH, HEIGHT + 18, "histogram", label, bars + axis)


def draw_spark(profile: ColumnProfile) -> str:
    """Return a small drawing of a column's values for a table."""
    counts = profile.histogram.counts if profile.histogram else [one[1] for one in profile.top]
    if not counts:
        return ""
    bars = _bars(counts, SPARK_WIDTH, SPARK_HEIGHT)
    return _svg(SPARK_WIDTH, SPARK_HEIGHT, "spark", f"values of {profile.name}", bars)


def draw_frequencies(profile: ColumnProfile) -> str:
    """Return bars of the most frequent values of a column, with their shares."""
    top = profile.top[:6]
    largest = max(count for _, count in top)
    rows = []
    for text, count in top:
        share, width = count / max(profile.present, 1), 100 * count / largest
        rows.append(
            f'<div class="bar"><span title="{escape(text)}">{escape(text) or "&nbsp;"}</span>'
            f'<i><b style="width:{width:.1f}%"></b></i><em>{share:.1%}</em></div>'
        )
    more = profile.distinct - len(top)
    note = f'<p class="more">and {more:,} other values</p>' if more > 0 else ""
    return f'<div class="bars">{"".join(rows)}</div>{note}'


def draw_matrix(
    names: Sequence[str], matrix: Matrix, what: str, colour: Callable[[float], str]
) -> str:
    """Return a symmetric matrix of values up to 1, each cell with its value as a title."""
    size = len(names) * CELL
    parts = []
    for at, name in enumerate(names):
        short = escape(name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…")
        middle = HEAD + at * CELL + CELL // 2 + 4
        column = LABELS + at * CELL + CELL // 2 + 4
        parts.append(f'<text x="{LABELS - 6}" y="{middle}" text-anchor="end">{short}</text>')
        parts.append(f'<text transform="translate({column} {HEAD - 6}) rotate(-60)">{short}</text>')
        for other in range(len(names)):
            value = float(matrix[at, other])
            if at == other or not isfinite(value):
                continue
            parts.append(
                f'<rect x="{LABELS + other * CELL}" y="{HEAD + at * CELL}" width="{CELL - 1}"'
                f' height="{CELL - 1}" fill="{colour(value)}" fill-opacity="{abs(value):.2f}">'
                f"<title>{escape(name)} and {escape(names[other])}: {value:.2f}</title></rect>"
            )
    frame = f'<rect class="frame" x="{LABELS}" y="{HEAD}" width="{size}" height="{size}"/>'
    width, height = LABELS + size + 44, HEAD + size + 4
    body = frame + "".join(parts)
    return (
        f'<svg class="matrix" viewBox="0 0 {width} {height}" style="max-width:{width}px"'
        f' role="img" aria-label="{escape(what)}">{body}</svg>'
    )


def _bars(counts: Sequence[int], width: int, height: int) -> str:
    largest, step = max(*counts, 1), width / len(counts)
    gap = min(1.0, step / 5)
    return "".join(
        f'<rect x="{at * step:.2f}" y="{height - size:.2f}" width="{max(step - gap, 0.5):.2f}"'
        f' height="{size:.2f}"/>'
        for at, count in enumerate(counts)
        if (size := max(height * count / largest, 0.8 if count else 0.0))
    )


def _svg(width: int, height: int, kind: str, label: str, body: str) -> str:
    return (
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img"'
        f' aria-label="{escape(label)}">{body}</svg>'
    )
