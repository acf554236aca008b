"""What the pages of experiments show: a filtered list, and experiments side by side. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from modstream.experiments.experiment import Experiment
from modstream.models.evaluation.metrics import HIGHER_IS_BETTER

MAX_COMPARED = 6
"""Number of experiments side by side."""
STATES = ("accepted", "rejected", "failed")


@dataclass(frozen=True, slots=True)
class ExperimentRow:
    """An experiment with the time at which it ended (ms) and the figure by which it is judged."""

    one: Experiment
    at: int
    value: float | None

    @property
    def mean(self) -> float | None:
        """The mean score of the chosen model over the folds."""
        return None if self.one.chosen is None else self.one.chosen.mean

    @property
    def deviation(self) -> float | None:
        """The standard deviation of the scores over the folds."""
        return None if self.one.chosen is None else self.one.chosen.deviation


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """A figure or fact of each compared experiment, in their order."""

    name: str
    values: Sequence[Any]

    @property
    def differs(self) -> bool:
        """Whether the experiments have different values."""
        return any(one != self.values[0] for one in self.values[1:])


SORT_KEYS: Mapping[str, Callable[[ExperimentRow], Any]] = {
    "time": lambda row: row.at,
    "model": lambda row: row.one.model,
    "state": lambda row: row.one.state,
    "value": lambda row: _known_last(row.value),
    "folds": lambda row: _known_last(row.mean),
    "rows": lambda row: row.one.data.rows,
    "features": lambda row: len(row.one.data.features),
    "seconds": lambda row: row.one.spent.get("cpu", 0.0),
}


def row_of(one: Experiment) -> ExperimentRow:
    """Return the row of an experiment."""
    at = int(datetime.fromisoformat(one.time).timestamp() * 1000)
    return ExperimentRow(one, at, one.metrics.get(one.metric))


def filtered(
    experiments: Sequence[Experiment], model: str, state: str, text: str
) -> list[ExperimentRow]:
    """Return the rows of the experiments of a model and state that contain a text.

    Empty texts exclude nothing. The text is searched in the id, the kind of the chosen model, the
    source of the rows, the code version and the reason, in any case.
    """
    wanted = text.casefold()
    return [
        row_of(one)
        for one in experiments
        if (not model or one.model == model)
        and (not state or one.state == state)
        and (not wanted or any(wanted in part.casefold() for part in _searched(one)))
    ]


def figure_rows(experiments: Sequence[Experiment]) -> list[ComparedRow]:
    """Return the figures of the test, those by which the experiments are judged first."""
    judged = dict.fromkeys(one.metric for one in experiments)
    tables = [one.metrics for one in experiments]
    return [row for name in judged for row in _rows(tables, (name,))] + [
        row for row in _rows(tables, _names(tables)) if row.name not in judged
    ]


def fold_rows(experiments: Sequence[Experiment]) -> list[ComparedRow]:
    """Return the scores of the chosen models by fold; none for experiments without them."""
    tables = [
        {}
        if one.chosen is None
        else {f"fold {at}": score for at, score in enumerate(one.chosen.scores, 1)}
        for one in experiments
    ]
    return _rows(tables, _names(tables))


def fact_rows(experiments: Sequence[Experiment]) -> list[ComparedRow]:
    """Return what may explain a difference: data, code, the chosen model, settings, libraries."""
    tables = [_facts(one) for one in experiments]
    return _rows(tables, _names(tables))


def is_higher_better(metric: str) -> bool:
    """Return whether a greater value of a metric is better."""
    return metric in HIGHER_IS_BETTER


def _facts(one: Experiment) -> dict[str, Any]:
    data, chosen = one.data, one.chosen
    found: dict[str, Any] = {
        "model": one.model,
        "task": one.task,
        "code version": one.code,
        "source": data.source,
        "rows": data.rows,
        "data hash": data.sha256,
        "features": ", ".join(data.features),
        "test rows": data.test_rows,
        "test hash": data.test_sha256,
        "tests on these rows": data.test_openings,
        "artifact hash": one.artifact_sha256 or None,
    }
    if chosen is not None:
        found["chosen"] = chosen.kind
        found |= {f"parameter {name}": value for name, value in chosen.hyperparameters.items()}
    found |= {f"setting {name}": value for name, value in one.settings.items()}
    return found | {f"library {name}": value for name, value in one.libraries.items()}


def _rows(tables: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[ComparedRow]:
    return [ComparedRow(name, tuple(table.get(name) for table in tables)) for name in names]


def _names(tables: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for table in tables for name in table))


def _searched(one: Experiment) -> tuple[str, ...]:
    kind = "" if one.chosen is None else one.chosen.kind
    return one.id, kind, one.data.source, one.code, one.reason


def _known_last(value: float | None) -> tuple[bool, float]:
    return value is not None, value or 0.0
