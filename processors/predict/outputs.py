"""The outputs of a response, made of a runtime's numbers in the format of the request."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from msgspec import Raw

from modstream.broker.wire.contracts import Tensor
from modstream.broker.wire.fast_codec import json_document, json_numbers
from modstream.models.runtimes.runtime import Outputs
from modstream.models.schema.card import OUTPUT_NAMES, ModelCard

JsonColumns = Sequence[bytes | Sequence[bytes | Raw]]
"""The parts that many JSON documents are joined from: constant bytes, and columns of values."""


def by_name(card: ModelCard, score: Any) -> dict[str, Any]:  # noqa: ANN401 - a float or k floats
    """Return one row's outputs by name.

    Binary: `probability` of the positive class. Multiclass: the most probable `label` and the
    `probabilities` of all classes, in the card's order. Regression: `value`. Anomaly: `score`,
    higher is more anomalous. Forecast: the values as `forecast`, and the number of the first
    `period`.
    """
    name = OUTPUT_NAMES[card.task]
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
    """Return all rows' outputs as Open Inference Protocol V2 tensors.

    `scores` have the shape (n,), (n, k) for k classes, or (n, 1 + h) for forecasts of at most h
    periods. Forecasts are as wide as the longest of them; shorter ones end in NaN.
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
        name=OUTPUT_NAMES[card.task],
        shape=scores.shape,
        datatype="FP64",
        data=scores.ravel().tolist(),
    )


def row_columns(card: ModelCard, scores: Outputs) -> JsonColumns:
    """Return the outputs by name of each row as JSON columns. Forecasts are not supported."""
    if card.task != "multiclass":
        return (b'{"%b":' % OUTPUT_NAMES[card.task].encode(), json_numbers(scores.tolist()), b"}")
    opening = (b"%b:" % json_document(str(label)) for label in card.classes)
    return (
        *(b'{"label":', _labels(scores, card.classes), b',"probabilities":{'),
        *_separated(zip(opening, _columns(scores), strict=True)),
        b"}}",
    )


def tensor_columns(card: ModelCard, scores: Outputs) -> JsonColumns:
    """Return the output tensors of each row alone as JSON columns. Forecasts are not supported."""
    name = OUTPUT_NAMES[card.task].encode()
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


def _separated(groups: Iterable[Sequence[bytes | Sequence[bytes]]]) -> JsonColumns:
    """Return groups of parts with commas between them."""
    return list(chain.from_iterable((b",", *group) for group in groups))[1:]
