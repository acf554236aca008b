"""Parts of the reports' pages as HTML: plots and tables."""

from collections.abc import Callable
from html import escape
from typing import TypeVar

from matplotlib.axes import Axes

from modstream.report import plots
from modstream.report.report_table import Cell, ExpectedZero, ReportTable

T = TypeVar("T")


def render_plot(
    title: str,
    note: str,
    name: str,
    draw: Callable[[Axes, T], None],
    data: T,
    size: tuple[float, float],
) -> str:
    """Return a plot with its caption as HTML; `name` makes the ids in it unique on the page."""
    drawing = plots.draw_svg(name, draw, data, size)
    caption = f"<figcaption><b>{escape(title)}</b> {escape(note)}</figcaption>"
    return f"<figure>{caption}{drawing}</figure>"


def render_table(table: ReportTable, level: int | None = 2) -> str:
    """Return a table with its notes as HTML, below its title as a heading of a level, if any."""
    heading = "" if level is None else f"<h{level}>{escape(table.title)}</h{level}>"
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    rows = "".join(f"<tr>{''.join(map(_render_cell, row))}</tr>" for row in table.rows)
    notes = "<br>".join(map(escape, table.notes))
    return f"""<section>{heading}
<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>
<p class="lines">{notes}</p></section>"""


def _render_cell(cell: Cell) -> str:
    if isinstance(cell, ExpectedZero):
        return f'<td class="{"fault" if cell.count else "zero"}">{escape(str(cell))}</td>'
    return f"<td>{escape(cell)}</td>"
