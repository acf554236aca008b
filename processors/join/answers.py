"""The rows of a prediction: what each row was, and the outputs for it by name. Pure.

Whatever the format of a request, its rows are joined and learned alike: a row by name, a list of
rows, tensors of n rows.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from modstream.broker.wire.contracts import OutputTensor, Prediction, Tensor, UnjoinedReason
from modstream.broker.wire.features import FeatureRow

MAX_ROWS = 1000
"""Maximum number of rows of a request that can be labelled."""
MAX_ROWS_BYTES = 16 * 1024 * 1024
"""Maximum size of all rows of a request by name, estimated."""
MAX_DETAIL_LENGTH = 300
"""Maximum number of characters of a message's detail."""
NUMBER_BYTES = 20
"""Estimated size of a number in JSON."""


class AnsweredRows(NamedTuple):
    """The outputs by name for each row, and its features, None where they were not recorded."""

    outputs: Sequence[dict[str, Any]]
    features: Sequence[FeatureRow | None]


class Unlabellable(NamedTuple):
    """Why no row of a request can be joined with a label, and the number of rows if known."""

    reason: UnjoinedReason
    detail: str
    rows: int | None = None

    @property
    def is_final(self) -> bool:
        """Whether no other model's response can be joined either."""
        return self.reason not in {UnjoinedReason.REFUSED, UnjoinedReason.NOT_LEARNABLE}


def rows_of(prediction: Prediction) -> AnsweredRows | Unlabellable:
    """Return the rows of a prediction, or the reason why they cannot be labelled."""
    outputs = _outputs_by_row(prediction.outputs)
    if isinstance(outputs, Unlabellable):
        return outputs
    size = len(outputs)
    features = _features_by_row(prediction, size)
    if isinstance(features, str):
        reason, detail = UnjoinedReason.FEATURES_NOT_RECORDED, features[:MAX_DETAIL_LENGTH]
        return Unlabellable(reason, detail, size)
    return AnsweredRows(outputs, features)


def _features_by_row(prediction: Prediction, size: int) -> Sequence[FeatureRow | None] | str:
    """Return the features of each row, or the reason why they cannot be learned."""
    if prediction.features_omitted is not None:
        return prediction.features_omitted
    if size > MAX_ROWS:
        return f"{size} rows; at most {MAX_ROWS} can be labelled"
    features = prediction.features
    if features is None:
        return [None] * size
    rows = [features] if isinstance(features, dict) else features
    if len(rows) != size:
        return f"{len(rows)} rows were recorded, and {size} answered"
    if size > 1 and size * _row_bytes(rows[0]) > MAX_ROWS_BYTES:
        return f"{size} rows by name are larger than {MAX_ROWS_BYTES:,} bytes"
    return rows


def _outputs_by_row(
    outputs: dict[str, Any] | tuple[Tensor, ...] | tuple[dict[str, Any], ...],
) -> list[dict[str, Any]] | Unlabellable:
    if isinstance(outputs, dict):
        return [outputs]
    tensors = [one for one in outputs if isinstance(one, Tensor)]
    if not tensors:
        return [one for one in outputs if isinstance(one, dict)] or _not_learnable("no row")
    return tensors_by_row(tensors)


def tensors_by_row(tensors: Sequence[Tensor]) -> list[dict[str, Any]] | Unlabellable:
    """Return outputs by name, as a request by name would get them, from the outputs as tensors."""
    size = tensors[0].shape[0] if tensors[0].shape else 0
    for tensor in tensors:
        if len(tensor.shape) not in {1, 2} or tensor.shape[0] != size or 0 in tensor.shape:
            shape = ", ".join(map(str, tensor.shape))
            return _not_learnable(f"the output {tensor.name[:100]} has the shape [{shape}]")
        if len(tensor.data) != math.prod(tensor.shape):
            return _not_learnable(f"the output {tensor.name[:100]} is nested or incomplete")
        if isinstance(tensor, OutputTensor) and not _names_all_columns(tensor):
            return _not_learnable(f"the output {tensor.name[:100]} has other columns than names")
    columns = {tensor.name: _values(tensor) for tensor in tensors}
    probabilities = next((one for one in tensors if one.name == "probabilities"), None)
    if "label" in columns and isinstance(probabilities, OutputTensor):
        columns["label"] = list(_likeliest_classes(probabilities))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _values(tensor: Tensor) -> Sequence[Any]:
    """Return the value of each row: a scalar, a mapping by column, or a list without NaN."""
    if len(tensor.shape) == 1:
        return tensor.data
    count, width = tensor.shape
    rows = [tensor.data[start : start + width] for start in range(0, count * width, width)]
    if isinstance(tensor, OutputTensor):
        names = [str(name) for name in tensor.parameters.columns]
        return [
            {name: value for name, value in zip(names, row, strict=False) if not _is_nan(value)}
            for row in rows
        ]
    return [[value for value in row if not _is_nan(value)] for row in rows]


def _likeliest_classes(probabilities: OutputTensor) -> Iterator[object]:
    """Yield the likeliest class of each row; the tensor of labels may have it as text only."""
    classes, (count, width) = probabilities.parameters.columns, probabilities.shape
    for start in range(0, count * width, width):
        row = probabilities.data[start : start + width]
        yield classes[row.index(max(row))]


def _names_all_columns(tensor: OutputTensor) -> bool:
    return tensor.shape[1:] == (len(tensor.parameters.columns),)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _not_learnable(detail: str) -> Unlabellable:
    return Unlabellable(UnjoinedReason.NOT_LEARNABLE, detail)


def _row_bytes(row: FeatureRow) -> int:
    return sum(
        len(name) + (len(value) if isinstance(value, str) else NUMBER_BYTES)
        for name, value in row.items()
    )


def row_sizes(answer: AnsweredRows) -> Iterator[int]:
    """Yield the estimated size of each row with its outputs."""
    for features, outputs in zip(answer.features, answer.outputs, strict=True):
        yield _row_bytes(features or {}) + sum(map(_output_bytes, outputs.items()))


def _output_bytes(output: tuple[str, Any]) -> int:
    name, value = output
    if isinstance(value, dict | list):
        return len(name) + (NUMBER_BYTES * 2) * len(value)
    return len(name) + NUMBER_BYTES
