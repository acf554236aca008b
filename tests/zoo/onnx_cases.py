"""A hand-made ONNX graph with what it is asked, and how its answers are read from its outputs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnxruntime as ort
from onnx import ModelProto, TensorProto, helper, numpy_helper

from modstream.models.importers.description import NO_DESCRIPTION, ModelDescription

Arrays = Mapping[str, np.ndarray]
Answers = Callable[[Arrays], list[dict[str, Any]]]
"""The expected outputs by name for each row, made of the graph's own outputs."""

value_info = helper.make_tensor_value_info
node = helper.make_node


@dataclass(frozen=True)
class OnnxCase:
    """A graph, and either rows with expected answers, or tensors, or the sentence of its refusal.

    `feeds` are the graph's own inputs for the rows. Expected tensors are the graph's own outputs.
    """

    name: str
    model: ModelProto
    description: ModelDescription = NO_DESCRIPTION
    rows: Sequence[Mapping[str, Any]] = ()
    feeds: Arrays = field(default_factory=dict)
    answers: Answers | None = None
    tensors: Arrays = field(default_factory=dict)
    refused: str = ""

    def original_outputs(self) -> dict[str, Any]:
        """Run the graph itself, without modstream, on its own inputs."""
        options = ort.SessionOptions()
        options.log_severity_level = 4
        session = ort.InferenceSession(
            self.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        names = [output.name for output in session.get_outputs()]
        feeds = dict(self.feeds or self.tensors)
        return dict(zip(names, session.run(names, feeds), strict=True))


def graph(
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    weights: Mapping[str, Any] | None = None,
    *,
    opset: int = 17,
    ir: int = 8,
    domains: Mapping[str, int] | None = None,
) -> ModelProto:
    """Return a model of one graph; weights are arrays by name."""
    initializers = [numpy_helper.from_array(np.asarray(w), n) for n, w in (weights or {}).items()]
    versions = {"": opset, "ai.onnx.ml": 3} | dict(domains or {})
    return helper.make_model(
        helper.make_graph(nodes, "g", inputs, outputs, initializers),
        opset_imports=[helper.make_opsetid(*one) for one in versions.items()],
        ir_version=ir,
    )


def ml(op_type: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> Any:
    """Return a node of ONNX's machine-learning operators."""
    return node(op_type, inputs, outputs, domain="ai.onnx.ml", **attributes)


def floats(name: str, *shape: int | str | None) -> Any:
    """Return a declared tensor of floats."""
    return value_info(name, TensorProto.FLOAT, shape)


def ints(name: str, *shape: int | str | None) -> Any:
    """Return a declared tensor of int64."""
    return value_info(name, TensorProto.INT64, shape)


def matrix_rows(matrix: np.ndarray) -> list[dict[str, Any]]:
    """Return a matrix as rows of x0, x1 and so on."""
    return [{f"x{at}": value for at, value in enumerate(row)} for row in matrix.tolist()]


def by_value(output: str = "Y") -> Answers:
    """Return regression answers."""
    return lambda found: [{"value": float(one)} for one in found[output].ravel()]


def by_probability(output: str = "Y") -> Answers:
    """Return answers of a binary classification, whose last column is the positive class."""
    return lambda found: [{"probability": float(np.ravel(row)[-1])} for row in found[output]]


def by_class(
    classes: Sequence[Any], output: str = "Y", key: str = "probabilities", label: str | None = None
) -> Answers:
    """Return answers with a label and a number for each class; the label is the greatest one's."""

    def answers(found: Arrays) -> list[dict[str, Any]]:
        numbers = np.asarray(found[output], np.float64)
        labels = [classes[at] for at in numbers.argmax(axis=1)]
        if label is not None:
            labels = np.ravel(found[label]).tolist()
        return [
            {"label": one, key: dict(zip(map(str, classes), row, strict=True))}
            for one, row in zip(labels, numbers.tolist(), strict=True)
        ]

    return answers


def by_label(output: str = "L") -> Answers:
    """Return answers that are labels only."""
    return lambda found: [{"label": one} for one in np.ravel(found[output]).tolist()]


def by_target(key: str, names: Sequence[str], *outputs: str) -> Answers:
    """Return answers with one value for each target, from outputs side by side."""

    def answers(found: Arrays) -> list[dict[str, Any]]:
        size = len(found[outputs[0]])
        table = np.hstack([found[output].reshape(size, -1) for output in outputs])
        return [{key: dict(zip(names, row, strict=True))} for row in table.tolist()]

    return answers
