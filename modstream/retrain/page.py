"""The report of a retraining, as one self-contained HTML page."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from modstream.models.schema.columns import FeatureColumn
from modstream.models.training.dataset import LabelledDataset
from modstream.models.training.settings import TrainSettings
from modstream.models.training.train import TrainingResult
from modstream.report.formatting import PLACEHOLDER, format_count, format_counts, format_score
from modstream.report.html_parts import render_plot, render_table
from modstream.report.page import (
    HALF_PLOT,
    render_headline_number,
    render_verdict_document,
)
from modstream.report.report_table import ReportTable
from modstream.retrain import plots
from modstream.retrain.error_tables import decision_table, error_tables

MAX_TRIALS = 12
"""Maximum number of trials in the report, the best first."""


def write_page(
    dataset: LabelledDataset,
    training: TrainingResult,
    settings: TrainSettings,
    path: Path,
    test_openings: int = 1,
) -> None:
    """Write the report to a file; its folder is created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page = render_training_page(dataset, training, settings, test_openings)
    path.write_text(page, encoding="utf-8")


def render_training_page(
    dataset: LabelledDataset,
    training: TrainingResult,
    settings: TrainSettings,
    test_openings: int = 1,
) -> str:
    """Return the whole HTML document; `test_openings` says how often the test rows were used."""
    verdict = "ACCEPTED" if training.is_accepted else "REJECTED"
    tables = (
        _metrics_table(training, settings, test_openings),
        *([decision_table(training.decision)] if training.decision else []),
        _trials_table(training, settings),
        *error_tables(training),
        _data_table(dataset),
    )
    body = f"""<dl class="key">{"".join(_headline_numbers(dataset, training))}</dl>
<div class="pair">{"".join(_plots(training))}</div>
{"".join(map(render_table, tables))}"""
    tested = f"tested on the {format_count(len(training.labels))} newest rows"
    return render_verdict_document(
        title=f"Challenger of {dataset.card.name}",
        subtitle=f"{training.spec.note}; {tested}",
        verdict=(verdict, _reason(training, settings)),
        is_good=training.is_accepted,
        body=body,
        footer="All metrics are over rows on which no trial was fitted.",
    )


def _reason(training: TrainingResult, settings: TrainSettings) -> str:
    if training.rejection_reasons:
        return "; ".join(training.rejection_reasons) + "."
    required = "" if settings.threshold is None else f", required is {settings.threshold:g}"
    value = format_score(training.metrics.get(training.metric, np.nan))
    champion = "the champion is not better" if training.gain else "no champion to compare with"
    return f"{training.metric} is {value}{required}; {champion}."


def _headline_numbers(dataset: LabelledDataset, training: TrainingResult) -> Iterable[str]:
    yield render_headline_number("rows", format_count(len(dataset.labels)))
    yield render_headline_number("rejected rows", format_count(dataset.rejected.total()))
    yield render_headline_number("trials", format_count(len(training.trials)))
    yield render_headline_number("chosen kind", training.chosen.kind)
    for name, value in training.metrics.items():
        yield render_headline_number(name.replace("_", " "), format_score(value))


def _plots(training: TrainingResult) -> Iterable[str]:
    if training.spec.task == "regression":
        title, note = "Predictions against labels", "the test rows; dashed: no error"
        yield render_plot(title, note, "residuals", plots.plot_residuals, training, HALF_PLOT)
        return
    if len(training.spec.classes) <= plots.MAX_CLASSES:
        title, note = "Confusion", "the test rows by true and predicted class"
        yield render_plot(title, note, "confusion", plots.plot_confusion, training, HALF_PLOT)
    title, note = "Calibration", "the test rows in ten bins; dashed: perfect calibration"
    yield render_plot(title, note, "calibration", plots.plot_calibration, training, HALF_PLOT)


def _metrics_table(
    training: TrainingResult, settings: TrainSettings, test_openings: int
) -> ReportTable:
    overlap = (training.challenger_on_overlap, training.champion_on_overlap)
    threshold = PLACEHOLDER if settings.threshold is None else f"{settings.threshold:g}"
    rows = tuple(
        (
            name.replace("_", " "),
            format_score(value),
            threshold if name == training.metric else PLACEHOLDER,
            *(format_score(metrics.get(name, np.nan)) for metrics in overlap),
        )
        for name, value in training.metrics.items()
    )
    columns = ("", "challenger", "required", "where both predicted", "champion there")
    gain = training.gain
    notes = []
    if gain is not None:
        better = f"better than the champion by {gain.low:+.4f} to {gain.high:+.4f}"
        notes.append(f"{training.metric}: {better} (95 % confidence, paired bootstrap)")
    if test_openings > 1:
        notes.append(
            f"{test_openings} challengers were tested on these rows: the more there are, the more"
            " is chance in the best of them"
        )
    return ReportTable("Metrics on the test rows", columns, rows, tuple(notes))


def _trials_table(training: TrainingResult, settings: TrainSettings) -> ReportTable:
    rows = tuple(
        (
            trial.name,
            format_score(trial.mean_score),
            format_score(trial.score_deviation),
            "all" if trial.stride == 1 else f"1 of {trial.stride}",
            f"{trial.seconds:.1f}",
            ", ".join(f"{name} {value:.3g}" for name, value in trial.hyperparameters.items())
            or PLACEHOLDER,
        )
        for trial in training.trials[:MAX_TRIALS]
    )
    folds = len(training.trials[0].scores)
    title = f"Trials: {training.metric} in {folds} time-ordered folds"
    columns = ("kind", "mean", "deviation", "rows fitted", "CPU s", "settings")
    searched, spent = training.searched, training.spent
    times = (
        f"the search took {searched.cpu:.1f} s of processor time and {searched.wall:.1f} s, all"
        f" together {spent.cpu:.1f} and {spent.wall:.1f} s; the budget was"
        f" {settings.budget_seconds:g} s of {settings.budget_clock} time"
    )
    chosen = (
        f"chosen is {training.chosen.name}: the simplest of those that the best does not beat by"
        " more than a standard error"
    )
    return ReportTable(title, columns, rows, (times, chosen))


def _data_table(dataset: LabelledDataset) -> ReportTable:
    rows = tuple((name, *_statistics(column)) for name, column in dataset.batch.columns.items())
    classes = Counter(map(str, dataset.labels)) if dataset.classes else Counter()
    notes = [f"labels: {format_counts(classes)}"] if classes else []
    if dataset.rejected:
        notes.append(f"rejected: {format_counts(dataset.rejected)}")
    columns = ("feature", "mean", "deviation", "min", "max", "distinct")
    return ReportTable("Training data", columns, rows, tuple(notes))


def _statistics(column: FeatureColumn) -> tuple[str, ...]:
    distinct = format_count(len(set(column.tolist())))
    if column.dtype == object:
        return (*(PLACEHOLDER,) * 4, distinct)
    values = column.astype(float)
    statistics = (values.mean(), values.std(), values.min(), values.max())
    return (*(f"{float(value):.4g}" for value in statistics), distinct)
