"""A runtime's numbers as the outputs of an answer, in the form in which the request came."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any

import numpy as np
from msgspec import Raw

from modstream.broker.wire.contracts import Tensor
from modstream.broker.wire.fast_codec import json_document, json_numbers
from modstream.models.runtimes.runtime import Outputs
from modstream.models.schema.card import ModelCard, Task

Parts = Sequence[bytes | Sequence[bytes | Raw]]
"""What many JSON documents are joined of: parts they share, and parts with a value for each."""

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


def row_parts(card: ModelCard, scores: Outputs) -> Parts:
    """What `by_name` says of each row, as JSON; of forecasts nothing."""
    if card.task != "multiclass":
        return (b'{"%b":' % NAMES[card.task].encode(), json_numbers(scores.tolist()), b"}")
    opening = (b"%b:" % json_document(str(label)) for label in card.classes)
    return (
        *(b'{"label":', _labels(scores, card.classes), b',"probabilities":{'),
        *_separated(zip(opening, _columns(scores), strict=True)),
        b"}}",
    )


def tensor_parts(card: ModelCard, scores: Outputs) -> Parts:
    """What `as_tensors` says of each row alone, as JSON; of forecasts nothing."""
    name = NAMES[card.task].encode()
    if card.task != "multiclass":
        opening = b'[{"name":"%b","shape":[1],"datatype":"FP64","data":[' % name
        return (opening, json_numbers(scores.tolist()), b"]}]")
    opening = b'[{"name":"%b","shape":[1,%d],"datatype":"FP64","data":[' % (name, len(card.classes))
    return (
        opening,
        *_separated((column,) for column in _columns(scores)),
        b']},{"name":"label","shape":[1],"datatype":"BYTES","data":[',
        _labels(scores, [str(label) for label in card.classes]),
        b"]}]",
    )


def _labels(scores: Outputs, names: Sequence[object]) -> list[bytes]:
    words = [json_document(name) for name in names]
    return [words[index] for index in scores.argmax(axis=1).tolist()]


def _columns(scores: Outputs) -> Iterator[list[bytes]]:
    return (json_numbers(column) for column in scores.T.tolist())


def _separated(groups: Iterable[Sequence[bytes | Sequence[bytes]]]) -> Parts:
    """Groups of parts with commas between them."""
    return list(chain.from_iterable((b",", *group) for group in groups))[1:]
