"""The tables of a training report that show where the models err, and what errors cost."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modstream.models.evaluation.monitoring.scored_rows import LOSS_NAMES
from modstream.models.schema.class_labels import show_label
from modstream.models.training.costs import DecisionThreshold
from modstream.models.training.error_analysis import AnalysedRow, ErrorAnalysis
from modstream.models.training.train import TrainingResult
from modstream.report.formatting import PLACEHOLDER, format_count, format_score
from modstream.report.report_table import ReportTable

MAX_FEATURES = 6
"""Number of features of a row that are shown."""
MAX_TEXT = 24


def decision_table(decision: DecisionThreshold) -> ReportTable:
    """Return the table of the decision threshold."""
    rows = (
        ("threshold chosen on the folds", format_score(decision.threshold)),
        ("threshold of calibrated probabilities", format_score(decision.calibrated_threshold)),
        ("cost of a test row", format_score(decision.cost_per_row)),
        ("cost of a test row at 0.5", format_score(decision.cost_at_half)),
        ("false positives in the test", format_count(decision.false_positives)),
        ("false negatives in the test", format_count(decision.false_negatives)),
    )
    return ReportTable("Decision by the costs of errors", ("", ""), rows)


def error_tables(training: TrainingResult) -> Iterator[ReportTable]:
    """Yield the tables of the error analysis; those without rows are left out."""
    analysis = training.analysis
    note = (
        f"of {format_count(analysis.rows)} rows that the model was not fitted on, before the test"
    )
    if analysis.slices:
        loss = LOSS_NAMES[training.spec.task]
        rows = tuple(
            (one.name, format_count(one.count), format_score(one.loss), format_score(one.rest_loss))
            for one in analysis.slices
        )
        yield ReportTable("Worst slices", ("rows with", "rows", loss, "all others"), rows, (note,))
    if analysis.mistakes:
        yield _row_table("Most confident mistakes", analysis.mistakes, note)
    if analysis.disagreements:
        yield _row_table("What the best models disagree on", analysis.disagreements, note)
    if len(analysis.names) > 1:
        yield _correlation_table(analysis, note)


def _correlation_table(analysis: ErrorAnalysis, note: str) -> ReportTable:
    pairs = zip(analysis.names, analysis.correlations.tolist(), strict=True)
    rows = tuple((name, *map(format_score, correlations)) for name, correlations in pairs)
    return ReportTable("Correlation of the models' errors", ("", *analysis.names), rows, (note,))


def _row_table(title: str, rows: Sequence[AnalysedRow], note: str) -> ReportTable:
    names = tuple(rows[0].predictions)
    cells = tuple(
        (
            _features(one.features),
            show_label(one.label, quote=False)[:MAX_TEXT],
            *(_shown(one.predictions[name]) for name in names),
        )
        for one in rows
    )
    return ReportTable(title, ("row", "label", *names), cells, (note,))


def _features(features: Mapping[str, Any]) -> str:
    shown = [f"{name} {_shown(value)}" for name, value in list(features.items())[:MAX_FEATURES]]
    return ", ".join(shown) + (", ..." if len(features) > MAX_FEATURES else "")


def _shown(value: Any) -> str:  # noqa: ANN401 - a feature or a prediction
    if value is None:
        return PLACEHOLDER
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:MAX_TEXT]
