"""The outputs of a version as columns of Arrow, named and shaped as in a prediction.

Binary: `probability`. Multiclass: `label`, and `probabilities` with a field for each class.
Regression: `value`. Anomaly: `score`. Forecast: `forecast`, a list, and its first `period`. Models
with named outputs and pipelines have a column for each output; what is no single value is JSON.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from modstream.models.runtimes.runtime import BatchOutputs, NamedOutputs, NamedRuntime, Outputs
from modstream.models.schema.card import OUTPUT_NAMES, TensorDatatype
from modstream.models.schema.synthetic import warm_up_batch
from modstream.processors.predict.model_resolver import ServableModel

LABEL, PERIOD = "label", "period"
JSON = pa.string()
SCALARS: Mapping[type, Any] = MappingProxyType(
    {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
)
DATATYPES: Mapping[TensorDatatype, Any] = MappingProxyType(
    {"FP64": pa.float64(), "INT64": pa.int64(), "BOOL": pa.bool_(), "BYTES": pa.string()}
)
"""The types of a pipeline's outputs that are single values."""


@dataclass(frozen=True)
class OutputColumns:
    """The output columns of one version."""

    model: ServableModel

    @cached_property
    def types(self) -> dict[str, Any]:
        """The types of the columns by name, in order."""
        card = self.model.card
        match card.output_form:
            case "pipeline":
                return {
                    one.name: DATATYPES[one.datatype] if len(one.shape) == 1 else JSON
                    for one in card.output_tensors
                }
            case "named":
                return self._named_types()
        name = OUTPUT_NAMES[card.task]
        if card.task == "forecast":
            return {name: pa.list_(pa.float64()), PERIOD: pa.int64()}
        if card.task != "multiclass":
            return {name: pa.float64()}
        scores = pa.struct([(str(label), pa.float64()) for label in card.classes])
        return {LABEL: _class_type(card.classes), name: scores}

    def arrays(self, outputs: BatchOutputs, has_output: NDArray[np.bool_]) -> list[Any]:
        """Return the columns for n rows; rows without an output, by a mask (n,), are null."""
        if isinstance(outputs, list):
            return [
                _named_array(name, kind, outputs, has_output) for name, kind in self.types.items()
            ]
        return self._arrays(outputs, ~has_output)

    def _arrays(self, outputs: Outputs, is_null: NDArray[np.bool_]) -> list[Any]:
        card = self.model.card
        if card.task == "forecast":
            # Rows that ask for fewer periods end in NaN.
            values = [
                None if missing else row[np.isfinite(row)]
                for row, missing in zip(outputs[:, 1:], is_null, strict=True)
            ]
            periods = np.where(is_null, 0, outputs[:, 0]).astype(np.int64)
            kind = self.types[OUTPUT_NAMES["forecast"]]
            return [pa.array(values, kind), pa.array(periods, pa.int64(), mask=is_null)]
        if card.task != "multiclass":
            return [pa.array(outputs, pa.float64(), mask=is_null)]
        best = np.where(is_null, 0, outputs.argmax(axis=1))
        classes = pa.array(_classes(card.classes), self.types[LABEL])
        labels = classes.take(pa.array(best, pa.int64(), mask=is_null))
        scores = pa.StructArray.from_arrays(
            [pa.array(column) for column in outputs.T],
            names=[str(label) for label in card.classes],
            mask=pa.array(is_null),
        )
        return [labels, scores]

    def _named_types(self) -> dict[str, Any]:
        """Return the types of outputs by name, by what the model returns for a sample row."""
        card = self.model.card
        runtime = cast(NamedRuntime, self.model.runtime)
        (sample,) = runtime.predict_rows(warm_up_batch(card, 1))
        types = {name: SCALARS.get(type(value), JSON) for name, value in sample.items()}
        if LABEL in types and card.classes:
            types[LABEL] = _class_type(card.classes)
        return types


def _class_type(classes: Sequence[Any]) -> Any:  # noqa: ANN401 - a type of pyarrow
    """Return the type of labels: texts if the classes have several types."""
    kinds = {type(label) for label in classes}
    return SCALARS[kinds.pop()] if len(kinds) == 1 else pa.string()


def _classes(classes: Sequence[Any]) -> list[Any]:
    is_uniform = len({type(label) for label in classes}) == 1
    return list(classes) if is_uniform else [str(label) for label in classes]


def _named_array(
    name: str,
    kind: Any,  # noqa: ANN401 - a type of pyarrow
    outputs: NamedOutputs,
    has_output: NDArray[np.bool_],
) -> Any:  # noqa: ANN401 - an array of pyarrow
    cells = [
        row.get(name) if has else None
        for row, has in zip(outputs, has_output.tolist(), strict=True)
    ]
    if pa.types.is_string(kind):
        cells = [_text(cell) for cell in cells]
    return pa.array(cells, kind)


def _text(cell: Any) -> str | None:  # noqa: ANN401 - a value of JSON
    if cell is None or isinstance(cell, str):
        return cell
    return json.dumps(cell) if isinstance(cell, dict | list) else str(cell)
