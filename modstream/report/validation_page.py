"""The report of a validation as one self-contained HTML page."""

from collections.abc import Mapping, Sequence

from modstream.report.formatting import format_count
from modstream.report.html_parts import render_table
from modstream.report.page import render_verdict_document
from modstream.report.report_table import ExpectedZero, ReportTable

Row = Mapping[str, object]


def render_validation_page(name: str, rows: int, rules: Sequence[Row], cells: Sequence[Row]) -> str:
    """Return the page.

    Args:
        name: what was checked.
        rows: the number of its rows.
        rules: `column`, `rule` and `cells`, the number of failing ones, of each rule that fails.
        cells: `column`, `row`, `value` and `rule` of failing cells.
    """
    failing = sum(int(str(one["cells"])) for one in rules)
    verdict = (
        ("NOT VALID", f"{format_count(failing)} cells are not as expected.")
        if failing
        else ("VALID", "All rows are as expected.")
    )
    tables = [
        ReportTable(
            "Rules",
            ("column", "rule", "failing cells"),
            tuple(
                (str(one["column"]), str(one["rule"]), ExpectedZero(int(str(one["cells"]))))
                for one in rules
            ),
        ),
        ReportTable(
            "Cells",
            ("column", "row", "value", "rule"),
            tuple(tuple(str(value) for value in one.values()) for one in cells),
            ("The first cells of each rule. Rows have numbers from 0, or positions in a topic.",),
        ),
    ]
    return render_verdict_document(
        title=f"Validation of {name}",
        subtitle=f"{format_count(rows)} rows",
        verdict=verdict,
        is_good=not failing,
        body="".join(map(render_table, tables)) if failing else "",
        footer="",
    )
