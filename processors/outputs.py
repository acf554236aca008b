"""A runtime's numbers as the outputs of an answer, in the form in which the request came."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from broker.contracts import Tensor
from models.card import ModelCard, Task
from models.runtime import Outputs

NAMES: Mapping[Task, str] = MappingProxyType(
    {
        "binary": "probability",
        "multiclass": "probabilities",
        "regression": "value",
        "anomaly": "score",
        "forecast": "forecast",
    }
)
"""What the numbers of an answer are called, by task."""


def by_name(card: ModelCard, score: Any) -> dict[str, Any]:  # noqa: ANN401 - a float or k floats
    """One row's outputs.

    Binary: `probability` of the positive class. Multiclass: the most probable `label` and the
    `probabilities` of all classes, in the card's order. Regression: `value`. Anomaly: `score`,
    higher is odder. Forecast: the values as `forecast`, and the number of the first `period`.
    """
    name = NAMES[card.task]
    if card.task == "forecast":
        values = score[1:]
        return {name: values[np.isfinite(values)].tolist(), "period": int(score[0])}
    if card.task != "multiclass":
        return {name: float(score)}
    return {
        "label": card.classes[int(np.argmax(score))],
        name: dict(zip(map(str, card.classes), score.tolist(), strict=True)),
    }


def as_tensors(card: ModelCard, scores: Outputs) -> tuple[Tensor, ...]:
    """All rows' outputs, (n,), (n, k) or (n, 1 + h), as Open Inference Protocol V2 tensors.

    Forecasts are as wide as the longest of them; shorter ones end in NaN.
    """
    if card.task == "forecast":
        asked = int(np.isfinite(scores).sum(axis=1).max(initial=1))
        periods = scores[:, 0].astype(np.int64).tolist()
        first = Tensor(name="period", shape=(len(periods),), datatype="INT64", data=periods)
        return (_numbers(card, scores[:, 1:asked]), first)
    numbers = _numbers(card, scores)
    if card.task != "multiclass":
        return (numbers,)
    labels = [str(card.classes[index]) for index in scores.argmax(axis=1).tolist()]
    return (numbers, Tensor(name="label", shape=(len(labels),), datatype="BYTES", data=labels))


def _numbers(card: ModelCard, scores: Outputs) -> Tensor:
    return Tensor(
        name=NAMES[card.task],
        shape=scores.shape,
        datatype="FP64",
        data=scores.ravel().tolist(),
    )
