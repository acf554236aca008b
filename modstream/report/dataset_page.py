"""The page of a data set: one self-contained HTML document."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from math import isfinite

from modstream.models.datasets.column_profiles import ColumnProfile
from modstream.models.datasets.profile import DatasetProfile, remarks
from modstream.report.dataset_associations import render_associations
from modstream.report.dataset_svg import draw_frequencies, draw_histogram, draw_spark
from modstream.report.formatting import format_count, format_size
from modstream.report.page import render_document, render_headline_number

EPOCH_MS = (1e11, 4e12)
"""Numbers in which the column of the time, or one named in ms, is shown as a date: 1973 to 2096."""
CSS = """
.histogram rect, .spark rect { fill: var(--model-0); }
.histogram .axis { stroke: var(--grid); } .histogram .end { fill: var(--muted); font-size: 10px; }
svg.spark { width: 6rem; height: 1.4rem; }
td:first-child { max-width: 18rem; overflow: hidden; text-overflow: ellipsis; }
.pair > * { min-width: 0; } td.text { max-width: 18rem; overflow: hidden; text-overflow: ellipsis; }
td.text { text-align: left; } th.text { text-align: left; }
.cards { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr)); }
.card { padding: 0.9rem 1rem; background: var(--card); border: 1px solid var(--grid);
  border-radius: 8px; min-width: 0; }
.card h3 { margin: 0 0 0.6rem; font-size: 0.95rem; overflow-wrap: anywhere; }
.card h3 small { margin-left: 0.5rem; color: var(--muted); font-weight: 400; }
.card h3 b { margin-left: 0.5rem; color: var(--good); font-size: 0.8rem; }
.card dl { display: grid; grid-template-columns: auto 1fr auto 1fr; gap: 0.1rem 0.75rem;
  margin: 0.6rem 0 0; font-size: 0.82rem; font-variant-numeric: tabular-nums; }
.card dt { color: var(--muted); } .card dd { margin: 0; text-align: right; }
.card p { margin: 0.5rem 0 0; color: var(--muted); font-size: 0.82rem; }
.bar { display: grid; grid-template-columns: minmax(0, 7rem) 1fr 3.2rem; gap: 0.5rem;
  align-items: center; font-size: 0.82rem; font-variant-numeric: tabular-nums; }
.bar span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bar i { height: 0.6rem; } .bar i b { display: block; height: 100%; border-radius: 2px;
  background: var(--model-0); }
.bar em { color: var(--muted); font-style: normal; text-align: right; }
.matrix text { fill: var(--ink); font-size: 11px; }
.matrix .frame { fill: none; stroke: var(--grid); }
.pair + figure { margin-top: 2rem; } footer { overflow-wrap: anywhere; }
.remarks { margin: 1rem 0; padding: 0 0 0 1.2rem; } .remarks li { margin: 0.2rem 0; }
"""


def render_dataset_page(profile: DatasetProfile, link: str | None = None) -> str:
    """Return the page of a data set; `link` is the address of a further report beside it."""
    parts = (
        _headline(profile),
        _label(profile),
        _remarks(profile),
        f'<h2 class="part">Columns</h2>{_overview(profile)}',
        f'<h2>Each column</h2><div class="cards">{"".join(_cards(profile))}</div>',
        render_associations(profile),
    )
    further = (
        f'<p class="lines"><a href="{escape(link)}">The report of skrub</a></p>' if link else ""
    )
    return render_document(
        title=f"Data set {profile.title}",
        heading=f"Data set {profile.title}",
        header=f'<p class="span">from {escape(profile.origin)}</p>',
        body="\n".join(parts) + further,
        footer=f"Computed from all rows of the files with the hash {profile.sha256}.",
        css=CSS,
    )


def _headline(profile: DatasetProfile) -> str:
    cells = profile.rows * len(profile.columns)
    numbers = (
        ("rows", format_count(profile.rows)),
        ("columns", format_count(len(profile.columns))),
        ("missing cells", _share(profile.missing, cells)),
        ("as Parquet", format_size(profile.size)),
    )
    return f'<dl class="key">{"".join(render_headline_number(*one) for one in numbers)}</dl>'


def _label(profile: DatasetProfile) -> str:
    if profile.label is None:
        text = "<strong>NO LABEL</strong> no column looks like one: name it with --label"
        return f'<p class="verdict unsound">{text}</p>'
    name, reason = map(escape, profile.label)
    return f'<p class="verdict sound"><strong>LABEL</strong> {name}: {reason}.</p>'


def _remarks(profile: DatasetProfile) -> str:
    found = remarks(profile)
    items = "".join(f"<li>{escape(one)}</li>" for one in found)
    return f'<ul class="remarks">{items}</ul>' if found else ""


def _overview(profile: DatasetProfile) -> str:
    names = ("column", "", "kind", "missing", "different", "min", "median", "mean", "max")
    head = "".join(f'<th scope="col">{one}</th>' for one in (*names, "distribution"))
    rows = "".join(f"<tr>{''.join(_cells(profile, one))}</tr>" for one in profile.columns)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="scroll">{table}</div>'


def _cells(profile: DatasetProfile, column: ColumnProfile) -> Iterator[str]:
    spark = "" if column.is_unique and column.top else draw_spark(column)
    name = escape(column.name)
    yield f'<td title="{name}">{name}</td>'
    yield f"<td>{spark}</td><td>{column.kind}</td>"
    yield f"<td>{_share(column.missing, column.rows)}</td><td>{format_count(column.distinct)}</td>"
    found = column.numbers
    values = () if found is None else (found.minimum, found.median, found.mean, found.maximum)
    for value in values or (None,) * 4:
        yield f"<td>{'' if value is None else escape(_value(profile, column, value))}</td>"
    yield f"<td>{_family(column)}</td>"


def _cards(profile: DatasetProfile) -> Iterator[str]:
    for column in profile.columns:
        label = profile.label is not None and profile.label.column == column.name
        mark = "<b>label</b>" if label else ""
        title = f"<h3>{escape(column.name)}<small>{column.kind}</small>{mark}</h3>"
        yield f'<div class="card">{title}{_content(profile, column)}</div>'


def _content(profile: DatasetProfile, column: ColumnProfile) -> str:
    facts = [
        ("missing", _share(column.missing, column.rows)),
        ("different", format_count(column.distinct)),
    ]
    found, histogram = column.numbers, column.histogram
    if found is None or histogram is None:
        drawing = draw_frequencies(column) if column.top and not column.is_unique else ""
        return drawing + _facts(facts)
    facts += [
        (name, _value(profile, column, value))
        for name, value in (
            ("min", found.minimum), ("max", found.maximum),
            ("mean", found.mean), ("median", found.median),
            ("5 %", found.quantiles[0.05]), ("95 %", found.quantiles[0.95]),
            ("25 %", found.quantiles[0.25]), ("75 %", found.quantiles[0.75]),
        )
    ]  # fmt: skip
    if not _is_time(profile, column):
        facts += [
            ("deviation", _number(found.deviation)),
            ("zeros", _share(found.zeros, column.present)),
        ]
    ends = (
        _value(profile, column, histogram.ends[0]),
        _value(profile, column, histogram.ends[1]),
    )
    outside = histogram.below + histogram.above
    note = f"<p>{outside:,} values lie outside of the histogram.</p>" if outside else ""
    return draw_histogram(histogram, *ends) + _facts(facts) + _distribution(profile, column) + note


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    pairs = (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return f"<dl>{''.join(pairs)}</dl>"


def _distribution(profile: DatasetProfile, column: ColumnProfile) -> str:
    found = column.distribution
    if found is None:
        return ""
    if found.fits:
        text = found.family if _is_time(profile, column) else str(found)
        return f"<p>Distribution: {escape(text)}</p>"
    return f"<p>Distribution: none fits; the nearest is {escape(found.family)}.</p>"


def _family(column: ColumnProfile) -> str:
    found = column.distribution
    return "" if found is None else found.family if found.fits else "none"


def _is_time(profile: DatasetProfile, column: ColumnProfile) -> bool:
    if column.kind == "timestamp":
        return True
    is_named = column.name == profile.time_column or column.name.endswith("_ms")
    found = column.numbers
    return (
        is_named and found is not None and EPOCH_MS[0] < found.minimum < found.maximum < EPOCH_MS[1]
    )


def _value(profile: DatasetProfile, column: ColumnProfile, value: float) -> str:
    if not _is_time(profile, column) or not isfinite(value):
        return _number(value)
    try:
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):
        return _number(value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e10 else f"{value:.4g}"


def _share(count: int, total: int) -> str:
    if not count:
        return "0"
    share = count / max(total, 1)
    return f"{share:.1%}" if share >= 0.001 else "< 0.1%"
