"""The outputs of a response, made of a runtime's numbers in the format of the request."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Literal

import numpy as np
from msgspec import Raw

from modstream.broker.wire.bounds import INT64_MAX, INT64_MIN
from modstream.broker.wire.contracts import ColumnNames, OutputTensor, Tensor
from modstream.broker.wire.fast_codec import json_document, json_numbers
from modstream.broker.wire.features import JsonScalar
from modstream.models.runtimes.runtime import Outputs
from modstream.models.schema.card import OUTPUT_NAMES, ModelCard

JsonColumns = Sequence[bytes | Sequence[bytes | Raw]]
"""The parts that many JSON documents are joined from: constant bytes, and columns of values."""
ValueDatatype = Literal["BOOL", "INT64", "FP64", "BYTES"]
"""The datatypes of outputs that are classes, or values by name."""


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
    periods. Forecasts are as wide as the longest of them; shorter ones end in NaN. Probabilities
    name their classes, so that the outputs by name can be read from the tensors again. Labels have
    the type of the classes: BOOL, INT64, FP64, or BYTES for texts and for classes of several types.
    """
    if card.task == "forecast":
        asked = int(np.isfinite(scores).sum(axis=1).max(initial=1))
        periods = scores[:, 0].astype(np.int64).tolist()
        first = Tensor(name="period", shape=(len(periods),), datatype="INT64", data=periods)
        return (_numbers(card, scores[:, 1:asked]), first)
    numbers = _numbers(card, scores)
    if card.task != "multiclass":
        return (numbers,)
    datatype, classes = _typed(card.classes)
    labels = [classes[index] for index in scores.argmax(axis=1).tolist()]
    numbers = _with_columns(numbers, card.classes)
    return (numbers, Tensor(name="label", shape=(len(labels),), datatype=datatype, data=labels))


def _numbers(card: ModelCard, scores: Outputs) -> Tensor:
    return Tensor(
        name=OUTPUT_NAMES[card.task],
        shape=scores.shape,
        datatype="FP64",
        data=scores.ravel().tolist(),
    )


def _with_columns(tensor: Tensor, columns: Iterable[JsonScalar]) -> OutputTensor:
    return OutputTensor(**dict(tensor), parameters=ColumnNames(columns=tuple(columns)))


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
    datatype, classes = _typed(card.classes)
    return (
        opening,
        *_separated((column,) for column in _columns(scores)),
        b'],"parameters":{"columns":%b}},{"name":"label",' % json_document(card.classes),
        b'"shape":[1],"datatype":"%b","data":[' % datatype.encode(),
        _labels(scores, classes),
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


def named_tensors(rows: Sequence[Mapping[str, Any]]) -> tuple[Tensor, ...]:
    """Return outputs by name as tensors: [n] for values, [n, k] for mappings of k values.

    The values of a mapping are in the order of their names in the first row that has each name; a
    number that a row does not have is NaN.
    """
    return tuple(_named_tensor(name, [row.get(name) for row in rows]) for name in rows[0])


def _named_tensor(name: str, values: Sequence[Any]) -> Tensor:
    keys: list[str] = []
    if isinstance(values[0], Mapping):
        keys = list(dict.fromkeys(chain.from_iterable(values)))
        flat = [value.get(key, math.nan) for value in values for key in keys]
        shape: tuple[int, ...] = (len(values), len(keys))
    else:
        flat, shape = list(values), (len(values),)
    datatype, data = _typed(flat)
    tensor = Tensor(name=name, shape=shape, datatype=datatype, data=data)
    return _with_columns(tensor, keys) if len(shape) > 1 else tensor


def _typed(values: Sequence[Any]) -> tuple[ValueDatatype, list[Any]]:
    """Return the datatype of outputs, and the outputs as values of it: texts if their types differ.

    Integers beyond 64 bits are texts as well.
    """
    types = {type(value) for value in values}
    if types <= {bool}:
        return "BOOL", list(values)
    if types <= {int} and all(INT64_MIN <= value <= INT64_MAX for value in values):
        return "INT64", list(values)
    if types <= {int, float} and float in types:
        return "FP64", list(map(float, values))
    return "BYTES", list(map(str, values))
