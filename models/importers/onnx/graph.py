"""An ONNX graph as its importer reads it: which node makes a tensor, from what, and constants."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

FLOATS = frozenset({TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16})
INTEGERS = frozenset(
    {
        TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64,
        TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64,
    }
)  # fmt: skip
LABELS = INTEGERS | {TensorProto.STRING, TensorProto.BOOL}
_COPYING = frozenset({"Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Dropout"})
"""Operators that keep all numbers of their first input, in order."""
_ML = "ai.onnx.ml"
_CLASS_KEYS = frozenset({"classes", "class_names", "classlabels", "labels"})


class Value(NamedTuple):
    """An input or output of a graph: `elem_type` is 0 if it is no tensor.

    A dimension of None has any length; the shape is None if the graph does not state the rank.
    """

    name: str
    elem_type: int
    shape: tuple[int | None, ...] | None

    @property
    def width(self) -> int | None:
        """The number of columns of a tensor [n], [n, 1] or [n, k]; None if it is not known."""
        if self.shape is None or len(self.shape) > 2:
            return None
        return self.shape[1] if len(self.shape) == 2 else 1

    def __str__(self) -> str:
        """Return the name and the shape, as messages show them."""
        if self.shape is None:
            return repr(self.name)
        lengths = ", ".join("n" if one is None else str(one) for one in self.shape)
        return f"{self.name!r} [{lengths}]"


class OnnxGraph:
    """Lookups in a model's graph."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        graph = model.graph
        self._producers = {name: node for node in graph.node for name in node.output if name}
        self._initializers = {tensor.name: tensor for tensor in graph.initializer}
        sparse = {tensor.values.name for tensor in graph.sparse_initializer}
        given = self._initializers.keys() | sparse
        self.inputs = [read_value(one) for one in graph.input if one.name not in given]
        self.outputs = [read_value(one) for one in graph.output]

    def producer(self, tensor: str) -> onnx.NodeProto | None:
        """Return the node that makes a tensor; None for inputs and initializers."""
        return self._producers.get(tensor)

    def trace(self, tensor: str) -> str:
        """Return the tensor that another one is a copy of, in another shape or type."""
        for node in self._chain(tensor):
            if node.op_type not in _COPYING or node.domain:
                break
            tensor = node.input[0]
        return tensor

    def _chain(self, tensor: str) -> Iterator[onnx.NodeProto]:
        """Yield the node that makes a tensor, the one that makes its first input, and so on."""
        for _ in range(len(self._producers)):
            node = self._producers.get(tensor)
            if node is None or not node.input:
                return
            yield node
            tensor = node.input[0]

    def ancestors(self, tensor: str) -> set[str]:
        """Return all tensors that a tensor is made from."""
        found: set[str] = set()
        waiting = [tensor]
        while waiting:
            node = self._producers.get(waiting.pop())
            new = set(node.input) - found if node is not None else set()
            found |= new
            waiting.extend(new)
        return found

    def constant(self, tensor: str) -> NDArray[Any] | None:
        """Return the value of a constant tensor, or None if it is not constant."""
        tensor = self.trace(tensor)
        if tensor in self._initializers:
            return np.asarray(numpy_helper.to_array(self._initializers[tensor]))
        node = self._producers.get(tensor)
        if node is None or node.op_type != "Constant":
            return None
        (attribute,) = node.attribute
        value = helper.get_attribute_value(attribute)
        if isinstance(value, TensorProto):
            return np.asarray(numpy_helper.to_array(value))
        return np.atleast_1d(np.asarray(value))


def read_value(value: onnx.ValueInfoProto) -> Value:
    """Return the name, type and shape of an input or output."""
    if not value.type.HasField("tensor_type"):
        return Value(value.name, 0, None)
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return Value(value.name, tensor.elem_type, None)
    shape = (
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None
        for dim in tensor.shape.dim
    )
    return Value(value.name, tensor.elem_type, tuple(shape))


def attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:  # noqa: ANN401
    """Return the value of a node's attribute, texts as `str`, or a default."""
    found = next((one for one in node.attribute if one.name == name), None)
    if found is None:
        return default
    value = helper.get_attribute_value(found)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, list) and value and isinstance(value[0], bytes):
        return [one.decode(errors="replace") for one in value]
    return value


def metadata_classes(graph: OnnxGraph) -> tuple[str | int, ...]:
    """Return the names of classes in a model's metadata: a list in JSON, or a mapping of numbers.

    There is no standard for them; empty if no entry has such a name and content.
    """
    for entry in graph.model.metadata_props:
        if entry.key.lower() not in _CLASS_KEYS:
            continue
        try:
            found = json.loads(entry.value)
        except ValueError:
            continue
        if isinstance(found, dict) and [*found] == [str(at) for at in range(len(found))]:
            found = list(found.values())
        if isinstance(found, list) and all(isinstance(one, str) for one in found):
            return tuple(found)
    return ()


def is_operator(node: onnx.NodeProto | None, *op_types: str, ml: bool = False) -> bool:
    """Return whether a node is one of ONNX's own operators, or of its machine-learning ones."""
    if node is None or node.op_type not in op_types:
        return False
    return node.domain == _ML if ml else node.domain in {"", "ai.onnx"}


def class_attribute(node: onnx.NodeProto, prefix: str = "classlabels") -> tuple[int | str, ...]:
    """Return the class labels that an operator of `ai.onnx.ml` names, in the order of columns."""
    for suffix in ("_int64s", "_ints", "_strings"):
        found: Sequence[int | str] | None = attribute(node, prefix + suffix)
        if found:
            return tuple(found)
    return ()


def scalars(values: NDArray[Any]) -> tuple[int | str | bool | float, ...]:
    """Return a constant's values as Python scalars."""
    return tuple(
        one.decode(errors="replace") if isinstance(one, bytes) else one
        for one in values.ravel().tolist()
    )
