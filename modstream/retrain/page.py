"""The report of a retraining as one HTML page that needs nothing but itself."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from modstream.models.schema.input_schema import Column
from modstream.models.training.dataset import Labelled
from modstream.models.training.settings import TrainSettings
from modstream.models.training.train import Trained
from modstream.report.formatting import NOTHING, counts, number, score
from modstream.report.page import HALF, document, figure, key_figure, table_of
from modstream.report.tables import Sheet
from modstream.retrain import plots

MOST_SHOWN = 12
"""Candidates in the report: the best."""


def write_page(table: Labelled, trained: Trained, settings: TrainSettings, path: Path) -> None:
    """Write the page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(table, trained, settings), encoding="utf-8")


def page(table: Labelled, trained: Trained, settings: TrainSettings) -> str:
    """The whole document."""
    word = "ACCEPTED" if trained.accepted else "REFUSED"
    body = f"""<dl class="key">{"".join(_key_figures(table, trained))}</dl>
<div class="pair">{"".join(_plots(trained))}</div>
{"".join(map(table_of, (_figures(trained, settings), _candidates(trained), _profile(table))))}"""
    return document(
        title=f"Challenger of {table.card.name}",
        span=f"{trained.draft.note}; tested on the {number(len(trained.truths))} newest",
        verdict=(word, _reason(trained, settings)),
        good=trained.accepted,
        body=body,
        footer="All figures are of rows that no candidate was fitted on.",
    )


def _reason(trained: Trained, settings: TrainSettings) -> str:
    if trained.faults:
        return "; ".join(trained.faults) + "."
    asked = "" if settings.threshold is None else f", asked for is {settings.threshold:g}"
    told = f"{trained.metric} is {score(trained.figures.get(trained.metric, np.nan))}{asked}"
    rival = "the champion is not better" if trained.gain else "no champion to compare with"
    return f"{told}; {rival}."


def _key_figures(table: Labelled, trained: Trained) -> Iterable[str]:
    yield key_figure("rows", number(len(table.labels)))
    yield key_figure("refused rows", number(table.refused.total()))
    yield key_figure("candidates", number(len(trained.candidates)))
    yield key_figure("best kind", trained.chosen.kind)
    for name, value in trained.figures.items():
        yield key_figure(name.replace("_", " "), score(value))


def _plots(trained: Trained) -> Iterable[str]:
    if trained.draft.task == "regression":
        note = "the held-back rows; dashed: no error"
        yield figure("Answers against the truth", note, "residuals", plots.residuals, trained, HALF)
        return
    if len(trained.draft.classes) <= plots.MOST_CLASSES:
        note = "the held-back rows by true and answered class"
        yield figure("Confusion", note, "confusion", plots.confusion, trained, HALF)
    note = "the held-back rows in ten bins; dashed: as said"
    yield figure("Calibration", note, "calibration", plots.calibration, trained, HALF)


def _figures(trained: Trained, settings: TrainSettings) -> Sheet:
    rows = tuple(
        (
            name.replace("_", " "),
            score(value),
            f"{settings.threshold:g}"
            if name == trained.metric and settings.threshold is not None
            else NOTHING,
            *(score(found.get(name, np.nan)) for found in (trained.rival, trained.champion)),
        )
        for name, value in trained.figures.items()
    )
    columns = ("", "challenger", "asked for", "where both answered", "champion there")
    gain = trained.gain
    sureness = "95 % confidence, paired bootstrap"
    line = (
        ""
        if gain is None
        else f"{trained.metric}: better than the champion by {gain.low:+.4f} to {gain.high:+.4f}"
        f" ({sureness})"
    )
    return Sheet("Figures on the held-back rows", columns, rows, (line,) if line else ())


def _candidates(trained: Trained) -> Sheet:
    rows = tuple(
        (
            one.kind,
            score(one.score),
            score(float(np.std(one.scores))),
            ", ".join(f"{name} {value:.3g}" for name, value in one.settings.items()) or NOTHING,
        )
        for one in trained.candidates[:MOST_SHOWN]
    )
    folds = len(trained.candidates[0].scores)
    title = f"Candidates: {trained.metric} in {folds} folds in the order of time"
    return Sheet(title, ("kind", "mean", "deviation", "settings"), rows)


def _profile(table: Labelled) -> Sheet:
    rows = tuple((name, *_described(column)) for name, column in table.batch.columns.items())
    classes = Counter(map(str, table.labels)) if table.classes else Counter()
    lines = [f"labels: {counts(classes)}"] if classes else []
    if table.refused:
        lines.append(f"refused: {counts(table.refused)}")
    columns = ("feature", "mean", "deviation", "least", "most", "distinct")
    return Sheet("Data: what the rows are like", columns, rows, tuple(lines))


def _described(column: Column) -> tuple[str, ...]:
    distinct = number(len(set(column.tolist())))
    if column.dtype == object:
        return (*(NOTHING,) * 4, distinct)
    values = column.astype(float)
    found = (values.mean(), values.std(), values.min(), values.max())
    return (*(f"{float(value):.4g}" for value in found), distinct)
