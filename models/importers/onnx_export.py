"""Export of scikit-learn models to ONNX, verified on golden rows: https://onnx.ai/sklearn-onnx."""

from functools import partial
from typing import Literal, NamedTuple

import numpy as np
from onnx import ModelProto
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType
from sklearn.base import BaseEstimator, is_classifier
from sklearn.tree._tree import Tree

from modstream.models.errors import NotConvertible
from modstream.models.importers.fidelity import (
    AllowedDifference,
    compare_labels,
    compare_outputs,
)
from modstream.models.importers.hist_boosting import register_hist_boosting
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.onnx_runtime import load
from modstream.models.runtimes.runtime import Outputs, Runtime
from modstream.models.runtimes.sklearn_introspection import (
    infer_classes,
    infer_task,
    predict_array,
    quiet,
    selects_columns,
)
from modstream.models.runtimes.sklearn_structure import last_step
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import Task
from modstream.models.schema.input_schema import Batch, InputSchema
from modstream.models.schema.version_spec import VersionSpec

Precision = Literal["float32", "float64"]
"""The type of the numbers that a graph computes with."""
InputTypes = list[tuple[str, FloatTensorType | DoubleTensorType | StringTensorType]]


class OnnxExport(NamedTuple):
    """A graph, loaded as a worker would, and the task that its outputs are read by."""

    artifact: bytes
    runtime: Runtime
    task: Task

    def compare(self, batch: Batch, expected: Outputs, allowed: AllowedDifference) -> float:
        """Return the largest difference of the graph's outputs from the expected ones.

        Raises:
            GoldenMismatch: one is too large, or the most probable of several classes is another.
        """
        found = self.runtime.predict(batch)
        if self.task == "multiclass":
            compare_labels(expected, found)
        return compare_outputs(expected, found, allowed.of(expected))


def to_onnx(
    model: BaseEstimator, schema: InputSchema, golden: Batch, precision: Precision = "float32"
) -> bytes:
    """Export a fitted model and compare the export's predictions on golden rows.

    `golden` should be rows of the model's own data, at least one. If the model selects columns by
    name, the export has one [n, 1] input per feature, floats or strings; otherwise it has a single
    [n, k] input of floats.

    Raises:
        NotConvertible: skl2onnx does not support the model or a part of it; keep it with skops.
        GoldenMismatch: the export's predictions differ.
    """
    if not golden.size:
        reason = "there are no golden rows to compare its predictions on"
        raise NotConvertible(type(model).__name__, reason)
    exported = export_graph(model, schema, precision)
    with translate_library_errors(partial(NotConvertible, type(model).__name__)):
        expected = predict_array(model, golden, exported.task)
    exported.compare(golden, expected, AllowedDifference(expected, exported.task))
    return exported.artifact


def export_graph(model: BaseEstimator, schema: InputSchema, precision: Precision) -> OnnxExport:
    """Export a fitted model to a graph that computes with the given precision.

    Raises:
        NotConvertible: skl2onnx does not support the model or a part of it.
        UnreadableArtifact: ONNX Runtime does not load the graph.
    """
    spec = VersionSpec(
        name="golden",
        runtime="onnx",
        task=infer_task(model),
        classes=infer_classes(model),
        input_schema=schema,
    )
    options = {id(model): {"zipmap": False}} if is_classifier(model) else None
    with translate_library_errors(partial(NotConvertible, type(model).__name__)), quiet():
        register_hist_boosting()
        exported = convert_sklearn(
            model, initial_types=_input_types(model, schema, precision), options=options
        )
        _track_missing_values(exported, last_step(model))
        artifact: bytes = exported.SerializeToString()
    runtime = load(artifact, spec.make_card(1, Artifact(artifact)))
    if not isinstance(runtime, Runtime):
        raise NotConvertible(type(model).__name__, "the graph's output is not one array of numbers")
    return OnnxExport(artifact, runtime, spec.task)


def _track_missing_values(graph: ModelProto, last: BaseEstimator) -> None:
    """Let a graph's trees send missing values where the model's own trees send them.

    skl2onnx leaves this out, except for trees of gradient boosting on histograms.
    """
    nodes = [node for node in graph.graph.node if node.op_type.startswith("TreeEnsemble")]
    members = vars(last).get("estimators_", [last])
    trees = [vars(one).get("tree_") for one in np.asarray(members, dtype=object).ravel()]
    if len(nodes) != 1 or not all(isinstance(tree, Tree) for tree in trees):
        return
    flags = np.concatenate([tree.__getstate__()["nodes"]["missing_go_to_left"] for tree in trees])
    for attribute in nodes[0].attribute:
        is_flags = attribute.name == "nodes_missing_value_tracks_true"
        if is_flags and len(attribute.ints) == len(flags):
            attribute.ints[:] = flags.tolist()


def _input_types(model: BaseEstimator, schema: InputSchema, precision: Precision) -> InputTypes:
    number = FloatTensorType if precision == "float32" else DoubleTensorType
    strings = [feature.name for feature in schema.features if feature.kind == "string"]
    if not selects_columns(model):
        if strings:
            reason = f"{strings[0]} is a string; select it with a ColumnTransformer fitted by name"
            raise NotConvertible(type(model).__name__, reason)
        return [("features", number([None, len(schema.features)]))]
    return [
        (name, StringTensorType([None, 1]) if name in strings else number([None, 1]))
        for name in schema.names
    ]
