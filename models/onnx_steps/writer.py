"""Writes nodes of ONNX that compute with columns [n, 1], constants [1, 1], and masks of both."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from modstream.models.pipelines.kinds import ValueKind
from modstream.models.schema.columns import FeatureKind, Scalar

LEAST_OPSET = 13
"""The first operators that take the types of all columns."""
EQUAL_TEXTS_OPSET, CONCAT_OPSET = 19, 20
TYPES: Mapping[ValueKind, int] = MappingProxyType(
    {
        "float": TensorProto.DOUBLE, "int": TensorProto.INT64, "bool": TensorProto.BOOL,
        "string": TensorProto.STRING,
    }
)  # fmt: skip
"""The type of the tensors of each kind."""
_DTYPES: Mapping[FeatureKind, type] = MappingProxyType(
    {"float": np.float64, "int": np.int64, "bool": np.bool_, "string": np.object_}
)


class GraphValue(NamedTuple):
    """A value of each row, by the names of tensors, as `processors.pipeline.values.Value` has it.

    `missing` and `failed` name masks, None for no row. What `data` has in such rows means nothing.
    """

    data: str
    kind: ValueKind
    missing: str | None = None
    failed: str | None = None


class GraphWriter:
    """Collects nodes and constants. `opset` is the least that has all operators so far."""

    def __init__(self, prefix: str) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.opset = LEAST_OPSET
        self._prefix = prefix
        self._known: dict[tuple[str, Scalar], str] = {}

    def op(self, operator: str, *inputs: str, **attributes: object) -> str:
        """Add a node, and return the name of its output."""
        name = f"{self._prefix}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def tensor(self, array: NDArray[Any]) -> str:
        """Add a constant tensor, and return its name."""
        name = f"{self._prefix}constant/{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def constant(self, value: Scalar, kind: FeatureKind) -> str:
        """Return the name of a constant [1, 1] of a kind."""
        key = (kind, repr(value))
        if key not in self._known:
            self._known[key] = self.tensor(np.array([[value]], _DTYPES[kind]))
        return self._known[key]

    def cast(self, value: GraphValue, kind: ValueKind) -> str:
        """Return the data of a value of numbers or bools as another kind."""
        if value.kind == kind:
            return value.data
        return self.op("Cast", value.data, to=TYPES[kind])

    def either(self, *masks: str | None) -> str | None:
        """Return where any of some masks is true; None for nowhere."""
        found = None
        for mask in masks:
            if mask is not None:
                found = mask if found is None else self.op("Or", found, mask)
        return found

    def without(self, mask: str | None, other: str | None) -> str | None:
        """Return where a mask is true and another one is not."""
        if mask is None or other is None:
            return mask
        return self.op("And", mask, self.op("Not", other))

    def not_finite(self, data: str) -> str:
        """Return where floats are NaN or infinite."""
        return self.op("Or", self.op("IsNaN", data), self.op("IsInf", data))

    def where(self, mask: str, first: str, second: str, kind: ValueKind) -> str:
        """Return one value where a mask is true, and another one of the same kind elsewhere."""
        if kind != "bool":
            return self.op("Where", mask, first, second)
        # ONNX Runtime has no `Where` of bools.
        chosen = self.op("And", mask, first)
        return self.op("Or", chosen, self.op("And", self.op("Not", mask), second))

    def pick(self, mask: str, first: str | None, second: str | None) -> str | None:
        """Return one mask where `mask` is true, and another one elsewhere; None is false."""
        chosen = None if first is None else self.op("And", mask, first)
        other = None if second is None else self.op("And", self.op("Not", mask), second)
        return self.either(chosen, other)

    def equal(self, first: str, second: str, kind: ValueKind) -> str:
        """Return where two values of the same kind are equal."""
        if kind == "string":
            self.opset = max(self.opset, EQUAL_TEXTS_OPSET)
        return self.op("Equal", first, second)

    def join(self, texts: Sequence[str], separator: str) -> str:
        """Return texts joined by a separator."""
        self.opset = max(self.opset, CONCAT_OPSET)
        found = texts[0]
        for text in texts[1:]:
            if separator:
                found = self.op("StringConcat", found, self.constant(separator, "string"))
            found = self.op("StringConcat", found, text)
        return found
