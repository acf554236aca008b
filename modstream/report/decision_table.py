"""The report table of a gate's decisions."""

from modstream.audit.decisions import GateDecision
from modstream.audit.result import AuditResult
from modstream.report.formatting import (
    PLACEHOLDER,
    format_count,
    format_date,
    format_difference,
    format_score,
)
from modstream.report.report_table import ReportTable

EVIDENCE_COLUMNS = ("loss before", "loss after", "min gain", "error rise")


def decision_table(result: AuditResult) -> ReportTable:
    """Return the decisions of the promotion gate, with their evidence."""
    rows = (
        (
            *(format_date(one.event_time), one.action, f"{one.model} v{one.version}"),
            *(
                f"{one.evidence.champion} > {one.evidence.candidate}",
                format_count(one.evidence.count),
            ),
            *(
                format_score(one.evidence.champion_loss),
                format_score(one.evidence.candidate_loss),
                format_difference(one.evidence.bound),
            ),
            _format_error_rise(one),
        )
        for one in result.decisions
    )
    return ReportTable(
        "Decisions of the promotion gate: mean losses on the same labels",
        ("event time", "action", "version", "from > to", "labels", *EVIDENCE_COLUMNS),
        tuple(rows),
        ("min gain: lower confidence bound of the loss reduction, at level 1 - alpha",),
    )


def _format_error_rise(decision: GateDecision) -> str:
    before, after = decision.evidence.error_before, decision.evidence.error_after
    if before is None or after is None:
        return PLACEHOLDER
    return f"{before:.2f} > {after:.2f}"
