"""The candidates of the models of a stream, as a table of its report."""

from math import isfinite

from modstream.audit.result import AuditResult
from modstream.report.formatting import format_count, format_score
from modstream.report.report_table import ReportTable

COLUMNS = ("candidate", "labels", "AUC", "log loss (nats)")
SERVED = "served"


def candidate_table(result: AuditResult) -> ReportTable:
    """Return a row for each candidate and for what was served, with the regret of the choice."""
    rows: list[tuple[str, ...]] = []
    notes = []
    for one in result.quality:
        candidates = [each for each in result.candidates if each.model == one.model]
        if not candidates:
            continue
        rows += [
            (
                f"{each.model}: {each.candidate}",
                *(format_count(each.labels), format_score(each.auc), format_score(each.log_loss)),
            )
            for each in candidates
        ]
        figures = (format_count(one.labelled), format_score(one.auc), format_score(one.log_loss))
        rows.append((f"{one.model}: {SERVED}", *figures))
        regret = one.log_loss - min(each.log_loss for each in candidates)
        if isfinite(regret):
            notes.append(
                f"regret of {one.model}, the log loss served less that of the best candidate:"
                f" {regret:+.4f}"
            )
    title = "Candidates: what each would have answered, and what was served"
    return ReportTable(title, COLUMNS, tuple(rows), tuple(notes))
