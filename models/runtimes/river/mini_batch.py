"""Many rows at once by River's mini-batch methods, where these answer as row by row.

They do not everywhere: a `StandardScaler` takes a feature without variance for 0 in one row and for
its distance from the mean in many, and a step may know the type of a number by its column only. So
this is for linear models of numbers, alone or behind scalers that have seen every feature vary.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from river.compose import Pipeline

from modstream.models.runtimes.runtime import Outputs
from modstream.models.schema.card import Task
from modstream.models.schema.input_schema import Batch, Scalar

Classes = tuple[Scalar, ...]

FEWEST = 300
"""Rows below which it does not pay: a table costs 0.55 ms, a row by itself 2 us."""


def answers_at_once(model: Any, task: Task, classes: Classes, batch: Batch) -> Outputs | None:  # noqa: ANN401
    """What a model says of all rows, (n,); None where it has to be asked row by row."""
    if batch.size < FEWEST:
        return None
    *scalers, final = model.steps.values() if type(model) is Pipeline else (model,)
    ask = _ASK.get((_kind(final), task))
    if ask is None or not (_are_numbers(batch) and _know_spread(scalers, batch)):
        return None
    return ask(model, classes, _table(batch))


def _kind(step: object) -> str:
    """A class by its name: to import these takes a second, which other models need not wait."""
    return f"{type(step).__module__}.{type(step).__qualname__}"


def _table(batch: Batch) -> Any:  # noqa: ANN401 - pandas says DataFrame
    import pandas as pd  # noqa: PLC0415 - see _kind

    return pd.DataFrame(batch.columns, copy=False)


def _are_numbers(batch: Batch) -> bool:
    return all(column.dtype == np.float64 for column in batch.columns.values())


def _know_spread(steps: Sequence[Any], batch: Batch) -> bool:
    """Whether all steps are scalers, and have seen every feature vary."""
    return all(
        _kind(step) == _SCALER and step.with_std and step.window_size is None for step in steps
    ) and all(step.vars.get(name, 0.0) > 0 for step in steps for name in batch.columns)


def _probability(model: Any, classes: Classes, table: Any) -> Outputs:  # noqa: ANN401 - River's
    positive = classes[1] if classes else True
    with np.errstate(over="ignore"):  # Far from the border a probability is 0 or 1.
        found = model.predict_proba_many(table)
    known = dict(zip(found.columns, found.to_numpy(np.float64).T, strict=True))
    return np.asarray(known.get(positive, np.zeros(len(table))))


def _value(model: Any, _classes: Classes, table: Any) -> Outputs:  # noqa: ANN401 - River's
    return np.asarray(model.predict_many(table), np.float64)


_SCALER = "river.preprocessing.scale.StandardScaler"
_ASK: Mapping[tuple[str, Task], Callable[[Any, Classes, Any], Outputs]] = MappingProxyType(
    {
        ("river.linear_model.log_reg.LogisticRegression", "binary"): _probability,
        ("river.linear_model.lin_reg.LinearRegression", "regression"): _value,
    }
)
