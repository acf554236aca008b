"""The report: one HTML page that needs nothing but itself."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from bench.charts import Chart, charts
from bench.machine import Machine
from bench.results import Gap, Summary
from bench.table import COLUMNS, cells
from modstream.report.style import CSS

OWN = """
td:nth-child(-n+4), th:nth-child(-n+4) { text-align: left; }
.reached { color: var(--good); } .missed { color: var(--bad); font-weight: 700; }
"""


def write_page(path: Path, found: Sequence[Summary], gaps: Sequence[Gap], on: Machine) -> None:
    """Write the page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(found, gaps, on), encoding="utf-8")


def page(found: Sequence[Summary], gaps: Sequence[Gap], on: Machine) -> str:
    """The whole document."""
    return document(
        "modstream's benchmark",
        f'<p class="span">{escape(str(on))}</p>{verdict(found)}',
        f"""{"".join(map(figure, charts(found)))}
<div class="scroll"><table><thead><tr>{_head()}</tr></thead>
<tbody>{"".join(_rows(found))}</tbody></table></div>
<p class="lines">{"<br>".join(_gaps(gaps))}</p>""",
        """Medians over rounds in which the subjects took turns on the same broker and the same
bytes. Ratios are to the raw pass-through of the same delivery in the same round. How each figure
is measured stands in docs/speed.md.""",
    )


def document(title: str, header: str, main: str, footer: str) -> str:
    """A page in modstream's own style; all but the title are HTML."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>{CSS}{OWN}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
{header}
</header>
<main>
{main}
</main>
<footer>{footer}</footer>
</body>
</html>
"""


def verdict(found: Iterable[Summary]) -> str:
    """How many goals were reached, as a paragraph."""
    judged = [summary.reached for summary in found if summary.reached is not None]
    kind = "sound" if all(judged) else "unsound"
    told = f"{sum(judged)} of {len(judged)}"
    return f'<p class="verdict {kind}"><strong>{told}</strong> goals reached</p>' if judged else ""


def figure(chart: Chart) -> str:
    """A plot under its caption."""
    caption = f"<figcaption><b>{escape(chart.title)}</b> {escape(chart.note)}</figcaption>"
    return f"<figure>{caption}{chart.drawing}</figure>"


def _head() -> str:
    return "".join(f'<th scope="col">{escape(column)}</th>' for column in COLUMNS)


def _rows(found: Iterable[Summary]) -> Iterator[str]:
    for summary in found:
        *plain, word = map(escape, cells(summary))
        told = "".join(f"<td>{cell}</td>" for cell in plain)
        yield f'<tr>{told}<td class="{word}">{word}</td></tr>'


def _gaps(gaps: Iterable[Gap]) -> Iterator[str]:
    for gap in gaps:
        yield escape(f"{gap.part} {gap.case}: {gap.reason}")
