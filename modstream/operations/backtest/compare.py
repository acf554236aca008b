"""Comparison of two versions' outputs for the same rows. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from modstream.broker.wire.features import JsonScalar
from modstream.broker.wire.identifiers import row_key
from modstream.models.evaluation.metrics import compute_metrics
from modstream.models.evaluation.version_classes import VersionLabels
from modstream.models.schema.card import OUTPUT_NAMES, Task
from modstream.models.schema.class_labels import finite_number
from modstream.processors.evaluate.scoring import ScoredPair, score

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


class RequestPosition(NamedTuple):
    """The partition and offset of a request in its topic."""

    partition: int
    offset: int


class VersionOutput(NamedTuple):
    """The outputs of a version: one mapping by name for each row of the request."""

    id: str
    version: int
    outputs: tuple[Mapping[str, Any], ...]


class ComparedRow(NamedTuple):
    """One row's two outputs: probabilities, values or classes, by the task."""

    id: str
    position: RequestPosition
    row: int
    version: int
    served: JsonScalar
    backtested: JsonScalar
    label: JsonScalar | None


@dataclass(frozen=True, slots=True)
class OutputShift:
    """The differences of numeric outputs: backtested minus served."""

    mean: float
    mean_absolute: float
    largest: float
    quantiles: dict[str, float]


@dataclass(frozen=True, slots=True)
class DecisionChanges:
    """Decisions that differ. For a binary task, `up` counts those that now reach the threshold."""

    count: int
    up: int | None = None
    down: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The difference between two versions over some rows.

    `equal` counts rows with identical outputs, `versions` the rows that each recorded version
    served. `decisions` is None for a regression, `shift` for a multiclass task. `served` and
    `backtested` are the prequential metrics of both versions over the `labelled` rows.
    """

    task: Task
    rows: int
    equal: int
    versions: dict[int, int]
    decisions: DecisionChanges | None
    shift: OutputShift | None
    labelled: int
    served: dict[str, float] = field(default_factory=dict)
    backtested: dict[str, float] = field(default_factory=dict)


def compared_rows(
    subject: VersionLabels,
    served: Mapping[RequestPosition, VersionOutput],
    backtested: Mapping[RequestPosition, VersionOutput],
    labels: Mapping[str, JsonScalar],
) -> Iterator[ComparedRow]:
    """Return the rows that both versions answered, in the order of their positions.

    `subject` are the task and the classes, which are the same for both. `labels` are those of rows
    by `row_key`. A label without a row number belongs to a request with a single row, as in the
    join.
    """
    for position in sorted(served.keys() & backtested.keys()):
        old, new = served[position], backtested[position]
        is_single = len(old.outputs) == 1
        for row, outputs in enumerate(zip(old.outputs, new.outputs, strict=False)):
            # A label of the first row may have no number, so that it is not clear which row it is.
            label = labels.get(row_key(old.id, row)) if row or is_single else None
            values = [read_output(subject, one) for one in outputs]
            if values[0] is not None and values[1] is not None:
                yield ComparedRow(old.id, position, row, old.version, values[0], values[1], label)


def compared_task(subject: VersionLabels) -> Task:
    """Return the task as which outputs are compared: labels without probabilities are classes."""
    return "multiclass" if subject.task == "clustering" else subject.task


def read_output(subject: VersionLabels, outputs: Mapping[str, Any]) -> JsonScalar | None:
    """Return the output of a row that is compared: a number, or the most likely class.

    None is returned for outputs of another task, or of one that has no such output.
    """
    if subject.task in {"binary", "regression", "anomaly"} and "label" not in outputs:
        return finite_number(outputs.get(OUTPUT_NAMES[subject.task]))
    if subject.task in {"binary", "multiclass"}:
        index = subject.classes.index_of_output(outputs.get("label"))
        return None if index is None else subject.classes.label_of(index)
    cluster = outputs.get("label") if subject.task == "clustering" else None
    return cluster if isinstance(cluster, bool | int | float | str) else None


def compare(subject: VersionLabels, found: Sequence[ComparedRow], threshold: float) -> Comparison:
    """Compare two versions over at least one row."""
    has_classes = any(isinstance(row.served, str | bool | int) for row in found)
    task: Task = "multiclass" if has_classes else compared_task(subject)
    scored = list(_scored_pairs(subject, task, found))
    return Comparison(
        task=task,
        rows=len(found),
        equal=sum(row.served == row.backtested for row in found),
        versions=dict(sorted(Counter(row.version for row in found).items())),
        decisions=None if task == "regression" else _decision_changes(task, found, threshold),
        shift=None if task == "multiclass" else _output_shift(found),
        labelled=len(scored),
        served=_metrics(task, [served for served, _ in scored]),
        backtested=_metrics(task, [backtested for _, backtested in scored]),
    )


def _scored_pairs(
    subject: VersionLabels, task: Task, found: Iterable[ComparedRow]
) -> Iterator[tuple[ScoredPair, ScoredPair]]:
    """Yield what is scored of both outputs for each row whose label is known and of the task."""
    name = "label" if task == "multiclass" else OUTPUT_NAMES[task]
    for row in found:
        if row.label is not None:
            pairs = [score(subject, row.label, {name: one}) for one in (row.served, row.backtested)]
            if pairs[0] is not None and pairs[1] is not None:
                yield pairs[0], pairs[1]


def is_changed(task: Task, row: ComparedRow, threshold: float) -> bool | None:
    """Return whether the decision about a row differs; None for a regression, without decisions."""
    if task == "regression":
        return None
    if task == "multiclass":
        return row.served != row.backtested
    return (float(row.served) >= threshold) != (float(row.backtested) >= threshold)


def _metrics(task: Task, pairs: Sequence[ScoredPair]) -> dict[str, float]:
    if not pairs:
        return {}
    return compute_metrics([one.label for one in pairs], [one.prediction for one in pairs], task)


def _decision_changes(
    task: Task, found: Iterable[ComparedRow], threshold: float
) -> DecisionChanges:
    changed = [row for row in found if is_changed(task, row, threshold)]
    if task == "multiclass":
        return DecisionChanges(len(changed))
    up = sum(float(row.backtested) >= threshold for row in changed)
    return DecisionChanges(len(changed), up, len(changed) - up)


def _output_shift(found: Sequence[ComparedRow]) -> OutputShift:
    moved = np.array([float(pair.backtested) - float(pair.served) for pair in found])
    quantiles = zip(QUANTILES, np.quantile(moved, QUANTILES).tolist(), strict=True)
    return OutputShift(
        mean=float(moved.mean()),
        mean_absolute=float(np.abs(moved).mean()),
        largest=float(np.abs(moved).max()),
        quantiles={f"{share:g}": value for share, value in quantiles},
    )
