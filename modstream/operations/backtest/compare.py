"""Two versions' answers to the same rows: how many decisions differ, and who was right. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from modstream.broker.wire.contracts import Tensor
from modstream.broker.wire.features import Scalar
from modstream.models.evaluation.metrics import figures
from modstream.models.schema.card import Task
from modstream.processors.evaluate.prequential import answer_of, comparable

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


class Place(NamedTuple):
    """Where a request lies in its topic."""

    partition: int
    offset: int


class Said(NamedTuple):
    """What a version answered: one mapping of outputs for each row of the request."""

    id: str
    version: int
    outputs: tuple[Mapping[str, Any], ...]


class Pair(NamedTuple):
    """One row's two answers: probabilities, values or classes, by the task."""

    id: str
    place: Place
    row: int
    version: int
    served: Scalar
    replayed: Scalar
    label: Scalar | None


@dataclass(frozen=True, slots=True)
class Shift:
    """How far numbers moved: replayed minus served."""

    mean: float
    mean_absolute: float
    largest: float
    quantiles: dict[str, float]


@dataclass(frozen=True, slots=True)
class Flips:
    """Decisions that differ. Of a binary task `up` are those that reach the threshold now."""

    count: int
    up: int | None = None
    down: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The difference between two versions over some rows.

    `equal` rows have the very same answer. `flips` is None for a regression, `shift` for classes.
    The figures are prequential ones, over the `labelled` rows, of both versions.
    """

    task: Task
    rows: int
    equal: int
    versions: dict[int, int]
    flips: Flips | None
    shift: Shift | None
    labelled: int
    served: dict[str, float] = field(default_factory=dict)
    replayed: dict[str, float] = field(default_factory=dict)


def pairs(
    task: Task,
    served: Mapping[Place, Said],
    replayed: Mapping[Place, Said],
    labels: Mapping[str, Scalar],
) -> Iterator[Pair]:
    """The rows that both versions answered, by the task's one value; in the order of places.

    A label is the truth of a request with a single row, as in the join.
    """
    for place in sorted(served.keys() & replayed.keys()):
        old, new = served[place], replayed[place]
        label = labels.get(old.id) if len(old.outputs) == 1 else None
        for row, outputs in enumerate(zip(old.outputs, new.outputs, strict=False)):
            told = [answer_of(one) for one in outputs]
            if all(one is not None and one[0] == task for one in told):
                values = [one[1] for one in told if one is not None]
                yield Pair(old.id, place, row, old.version, values[0], values[1], label)


def compare(task: Task, found: Sequence[Pair], threshold: float) -> Comparison:
    """Sum up at least one pair."""
    labelled = [p for p in found if p.label is not None and comparable(task, p.label)]
    truths = [pair.label for pair in labelled if pair.label is not None]
    return Comparison(
        task=task,
        rows=len(found),
        equal=sum(pair.served == pair.replayed for pair in found),
        versions=dict(sorted(Counter(pair.version for pair in found).items())),
        flips=None if task == "regression" else _flips(task, found, threshold),
        shift=None if task == "multiclass" else _shift(found),
        labelled=len(labelled),
        served=figures(truths, [p.served for p in labelled], task) if truths else {},
        replayed=figures(truths, [p.replayed for p in labelled], task) if truths else {},
    )


def flipped(task: Task, pair: Pair, threshold: float) -> bool | None:
    """Whether a row is decided otherwise; None for a regression, which decides nothing."""
    if task == "regression":
        return None
    if task == "multiclass":
        return pair.served != pair.replayed
    return (float(pair.served) >= threshold) != (float(pair.replayed) >= threshold)


def single_rows(outputs: object) -> tuple[Mapping[str, Any], ...]:
    """Outputs of any form, row by row: one mapping, several of them, or tensors (n,)."""
    if isinstance(outputs, Mapping):
        return (outputs,)
    if not isinstance(outputs, tuple):
        return ()
    tensors = {one.name: one.data for one in outputs if isinstance(one, Tensor)}
    for name in ("probability", "label", "value"):
        if name in tensors:
            return tuple({name: value} for value in tensors[name])
    return tuple(one for one in outputs if isinstance(one, Mapping))


def _flips(task: Task, found: Iterable[Pair], threshold: float) -> Flips:
    changed = [pair for pair in found if flipped(task, pair, threshold)]
    if task == "multiclass":
        return Flips(len(changed))
    up = sum(float(pair.replayed) >= threshold for pair in changed)
    return Flips(len(changed), up, len(changed) - up)


def _shift(found: Sequence[Pair]) -> Shift:
    moved = np.array([float(pair.replayed) - float(pair.served) for pair in found])
    quantiles = zip(QUANTILES, np.quantile(moved, QUANTILES).tolist(), strict=True)
    return Shift(
        mean=float(moved.mean()),
        mean_absolute=float(np.abs(moved).mean()),
        largest=float(np.abs(moved).max()),
        quantiles={f"{share:g}": value for share, value in quantiles},
    )
