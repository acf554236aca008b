"""What each step of the demo adds, as a table of its report."""

from modstream.audit.result import AuditResult
from modstream.demo.family import BOOSTED, FIRST, MEAN, ONCE, ONLINE
from modstream.demo.plan import DemoPlan
from modstream.report.formatting import format_score
from modstream.report.report_table import ReportTable

COLUMNS = ("model", "knows", "AUC", "log loss (nats)")
OWN = "the request"
HOURS_PER_DAY = 24


def steps_table(result: AuditResult, plan: DemoPlan) -> ReportTable:
    """Return the scores from the model that was fitted once to what the gate served.

    Those of candidates are scored on the answers that they would have given.
    """
    scores = {one.candidate: (one.auc, one.log_loss) for one in result.candidates}
    served = {one.model: (one.auc, one.log_loss) for one in result.quality}
    labels = f"{OWN}, late and overdue flights"
    boosted = f"{labels}, the board" if plan.board else labels
    days = plan.retrain_hours / HOURS_PER_DAY
    often = f"fitted every {days:.0f} days" if days else "fitted once"
    steps = (
        ("frozen: fitted once", OWN, served.get("frozen")),
        ("boosted: fitted once", labels, scores.get(ONCE)),
        (f"boosted: {often}", boosted, scores.get(BOOSTED)),
        ("online: learns each label", OWN, scores.get(FIRST)),
        ("mean of both log-odds", boosted, scores.get(MEAN)),
        ("served: chosen by the gate", boosted, served.get(ONLINE)),
    )
    rows = tuple((name, known, *map(format_score, found)) for name, known, found in steps if found)
    return ReportTable("What each step adds", COLUMNS, rows)
