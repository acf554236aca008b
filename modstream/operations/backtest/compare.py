"""Comparison of two versions' outputs for the same rows. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from modstream.broker.wire.contracts import Tensor
from modstream.broker.wire.features import JsonScalar
from modstream.models.evaluation.metrics import compute_metrics
from modstream.models.schema.card import Task
from modstream.processors.evaluate.prequential import is_comparable, single_output

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
    task: Task,
    served: Mapping[RequestPosition, VersionOutput],
    backtested: Mapping[RequestPosition, VersionOutput],
    labels: Mapping[str, JsonScalar],
) -> Iterator[ComparedRow]:
    """Return the rows that both versions answered, in the order of their positions.

    A label belongs to a request with a single row, as in the join.
    """
    for position in sorted(served.keys() & backtested.keys()):
        old, new = served[position], backtested[position]
        label = labels.get(old.id) if len(old.outputs) == 1 else None
        for row, outputs in enumerate(zip(old.outputs, new.outputs, strict=False)):
            read = [single_output(one) for one in outputs]
            if all(one is not None and one[0] == task for one in read):
                values = [one[1] for one in read if one is not None]
                yield ComparedRow(old.id, position, row, old.version, values[0], values[1], label)


def compare(task: Task, found: Sequence[ComparedRow], threshold: float) -> Comparison:
    """Compare two versions over at least one row."""
    labelled = [row for row in found if row.label is not None and is_comparable(task, row.label)]
    labels = [row.label for row in labelled if row.label is not None]
    return Comparison(
        task=task,
        rows=len(found),
        equal=sum(row.served == row.backtested for row in found),
        versions=dict(sorted(Counter(row.version for row in found).items())),
        decisions=None if task == "regression" else _decision_changes(task, found, threshold),
        shift=None if task == "multiclass" else _output_shift(found),
        labelled=len(labelled),
        served=_metrics(task, labels, [row.served for row in labelled]),
        backtested=_metrics(task, labels, [row.backtested for row in labelled]),
    )


def is_changed(task: Task, row: ComparedRow, threshold: float) -> bool | None:
    """Return whether the decision about a row differs; None for a regression, without decisions."""
    if task == "regression":
        return None
    if task == "multiclass":
        return row.served != row.backtested
    return (float(row.served) >= threshold) != (float(row.backtested) >= threshold)


def single_rows(outputs: object) -> tuple[Mapping[str, Any], ...]:
    """Return outputs of any format row by row: one mapping, several of them, or tensors (n,)."""
    if isinstance(outputs, Mapping):
        return (outputs,)
    if not isinstance(outputs, tuple):
        return ()
    tensors = {one.name: one.data for one in outputs if isinstance(one, Tensor)}
    for name in ("probability", "label", "value"):
        if name in tensors:
            return tuple({name: value} for value in tensors[name])
    return tuple(one for one in outputs if isinstance(one, Mapping))


def _metrics(
    task: Task, labels: Sequence[JsonScalar], outputs: Sequence[JsonScalar]
) -> dict[str, float]:
    return compute_metrics(labels, outputs, task) if labels else {}


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
