"""How much the columns of a data set say of each other, as parts of its page."""

from collections.abc import Sequence
from html import escape

from modstream.models.datasets.associations import Pair
from modstream.models.datasets.profile import DatasetProfile
from modstream.report.dataset_svg import draw_matrix

PAIRS = 10


def render_associations(profile: DatasetProfile) -> str:
    """Return the tables and drawings of associations as HTML."""
    found = profile.associations
    if len(found.names) < 2:
        return ""
    note = (
        "Mutual information is the share of the smaller entropy that two columns have in common:"
        " 0 if they are independent, 1 if one determines the other. Correlation is Spearman's, of"
        f" ranks. Both are of {found.rows:,} rows."
    )
    parts = [f'<h2 class="part">Associations</h2><p class="lines">{note}</p>']
    tables = []
    if profile.label is not None and (pairs := found.with_column(profile.label.column)):
        title = f"What says most of the label {profile.label.column}"
        tables.append(_label_table(title, pairs[:PAIRS]))
    if pairs := found.strongest(PAIRS):
        tables.append(_pair_table("Strongest pairs", pairs))
    parts.append(f'<div class="pair">{"".join(tables)}</div>')
    drawing = draw_matrix(
        found.names, found.information, "mutual information", lambda _: "var(--service-0)"
    )
    parts.append(_figure("Mutual information", "the stronger the colour, the more", drawing))
    if len(found.numbers) > 1:
        drawing = draw_matrix(
            found.numbers,
            found.correlation,
            "correlation",
            lambda value: "var(--model-0)" if value > 0 else "var(--model-1)",
        )
        parts.append(_figure("Correlation", "blue rises together, orange opposes", drawing))
    return "".join(parts)


def _label_table(title: str, pairs: Sequence[Pair]) -> str:
    rows = "".join(
        f"<tr><td>{escape(one.second)}</td><td>{one.value:.3f}</td></tr>" for one in pairs
    )
    return _table(title, "<th>column</th>", rows)


def _pair_table(title: str, pairs: Sequence[Pair]) -> str:
    rows = "".join(
        f'<tr><td>{escape(one.first)}</td><td class="text">{escape(one.second)}</td>'
        f"<td>{one.value:.3f}</td></tr>"
        for one in pairs
    )
    return _table(title, '<th>column</th><th class="text">with</th>', rows)


def _table(title: str, head: str, rows: str) -> str:
    table = (
        f"<table><thead><tr>{head}<th>mutual information</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )
    return f'<section><h3>{escape(title)}</h3><div class="scroll">{table}</div></section>'


def _figure(title: str, note: str, drawing: str) -> str:
    caption = f"<figcaption><b>{escape(title)}</b> {escape(note)}</figcaption>"
    return f'<figure>{caption}<div class="scroll">{drawing}</div></figure>'
