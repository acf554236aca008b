"""Many rows at once by River's mini-batch methods, where these answer as row by row.

They do not everywhere: a `StandardScaler` takes a feature without variance for 0 in one row and for
its distance from the mean in many, and a step may know the type of a number by its column only. So
this is for linear models of numbers, alone or behind scalers that have seen every feature vary.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from river.compose import Pipeline

from models.card import Task
from models.schema import Batch, Scalar

Answers = npt.NDArray[np.float64]
Classes = tuple[Scalar, ...]

FEWEST = 300
"""Rows below which it does not pay: a table costs 0.55 ms, a row by itself 2 us."""


def answers(model: Any, task: Task, classes: Classes, batch: Batch) -> Answers | None:  # noqa: ANN401
    """What a model says of all rows, (n,); None where it has to be asked row by row."""
    ask = _ASK.get((_kind(_final(model)), task))
    if ask is None or batch.size < FEWEST or not (_are_numbers(batch) and _is_scaled(model, batch)):
        return None
    return ask(model, classes, _table(batch))


def _kind(step: object) -> str:
    """A class by its name: to import these takes a second, which other models need not wait."""
    return f"{type(step).__module__}.{type(step).__qualname__}"


def _table(batch: Batch) -> Any:  # noqa: ANN401 - pandas says DataFrame
    import pandas as pd  # noqa: PLC0415 - see _kind

    return pd.DataFrame(batch.columns, copy=False)


def _final(model: Any) -> Any:  # noqa: ANN401 - any of River's kinds
    """The last step, behind scalers at most; None if others stand before it."""
    if type(model) is not Pipeline:
        return model
    *before, final = model.steps.values()
    return final if all(_kind(step) == _SCALER for step in before) else None


def _are_numbers(batch: Batch) -> bool:
    return all(column.dtype == np.float64 for column in batch.columns.values())


def _is_scaled(model: Any, batch: Batch) -> bool:  # noqa: ANN401 - any of River's kinds
    """Whether every scaler that there is knows the spread of every feature."""
    scalers = list(model.steps.values())[:-1] if type(model) is Pipeline else []
    return all(
        scaler.with_std and scaler.window_size is None and scaler.vars.get(name, 0.0) > 0
        for scaler in scalers
        for name in batch.columns
    )


def _probability(model: Any, classes: Classes, table: Any) -> Answers:  # noqa: ANN401 - River's
    positive = classes[1] if classes else True
    with np.errstate(over="ignore"):  # Far from the border a probability is 0 or 1.
        found = model.predict_proba_many(table)
    known = dict(zip(found.columns, found.to_numpy(np.float64).T, strict=True))
    return np.asarray(known.get(positive, np.zeros(len(table))))


def _value(model: Any, _classes: Classes, table: Any) -> Answers:  # noqa: ANN401 - River's
    return np.asarray(model.predict_many(table), np.float64)


_SCALER = "river.preprocessing.scale.StandardScaler"
_ASK: Mapping[tuple[str, Task], Callable[[Any, Classes, Any], Answers]] = MappingProxyType(
    {
        ("river.linear_model.log_reg.LogisticRegression", "binary"): _probability,
        ("river.linear_model.lin_reg.LinearRegression", "regression"): _value,
    }
)
