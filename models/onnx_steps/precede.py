"""Steps of wrangling in front of a model's graph: one artifact for both."""

import json
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import onnx
from onnx import ModelProto, NodeProto, ValueInfoProto, compose, helper, version_converter

from modstream.models.datasets.wrangle_needs import NeededSteps, needed_steps
from modstream.models.datasets.wrangle_steps import StatefulStep, StatelessStep
from modstream.models.errors import StepsNotServable, UnreadableArtifact
from modstream.models.importers.onnx.graph import FLOATS, OnnxGraph, Value
from modstream.models.onnx_steps.model_inputs import (
    rows_of,
    with_failures,
    write_features,
    write_inputs,
)
from modstream.models.onnx_steps.steps import input_table, write_steps
from modstream.models.onnx_steps.writer import TYPES, GraphWriter
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec

STEPS_KEY = "modstream.wrangle"
"""The key of the steps in the metadata of an artifact: JSON."""
MODEL, STEPS = "model/", "steps/"
"""Prefixes of the names of tensors."""
LEAST_IR = 10


class PrecededVersion(NamedTuple):
    """A version whose artifact begins with steps, and the parts of the steps that it has."""

    spec: VersionSpec
    artifact: bytes
    needed: NeededSteps


def precede(
    spec: VersionSpec,
    artifact: bytes,
    steps: Sequence[StatelessStep | StatefulStep],
    columns: Sequence[Feature],
) -> PrecededVersion:
    """Return a version that takes the columns before the steps.

    `columns` describe the columns before the first step, at least those that the model depends on.

    Raises:
        StepsNotServable: a step cannot run before a model, or has no form in ONNX.
        UnreadableArtifact: the model's graph cannot be read.
    """
    if spec.runtime != "onnx":
        raise StepsNotServable(
            f"the steps become a part of an ONNX graph, and this model is run by {spec.runtime}"
        )
    if spec.task in {"tensors", "forecast"}:
        raise StepsNotServable(f"a model of the task {spec.task} takes no columns of one row each")
    needed = needed_steps(steps, spec.input_schema.names)
    schema = _schema_before(needed, columns, spec.input_schema)
    with translate_library_errors(partial(UnreadableArtifact, "onnx")):
        model = onnx.load_model_from_string(artifact)
        _check_names(schema, OnnxGraph(model))
        merged = _merge(model, spec, schema, needed)
        _record(merged, needed)
        content: bytes = merged.SerializeToString()
    kinds = ", ".join(dict.fromkeys(type(one).__name__.lower() for one in needed.steps))
    count = len(needed.steps)
    note = f"{spec.note}; {count} wrangling step{'s' * (count != 1)}: {kinds or 'none'}"
    updates = {"input_schema": schema, "sample_rows": (), "note": note}
    return PrecededVersion(spec.model_copy(update=updates), content, needed)


def _schema_before(
    needed: NeededSteps, columns: Sequence[Feature], model: InputSchema
) -> InputSchema:
    """Return what the version takes: the columns that the model depends on.

    A column that no step computes with is described as the model's feature that it becomes.
    """
    known = {one.name: one for one in columns}
    features = {one.name: one for one in model.features}
    unchanged = {name: features[last] for last, name in needed.unchanged.items()}
    computed = features.keys() - needed.unchanged.keys()
    is_hidden = any(features[name].sensitive for name in computed)
    found = []
    for name in [*known, *sorted(needed.columns - known.keys())]:
        if name not in needed.columns:
            continue
        if name in unchanged:
            found.append(_as_column(unchanged[name], name, known.get(name)))
        elif name not in known:
            raise StepsNotServable(
                f"the steps need the column {name}, which is not described: give --feature"
                f" {name}:KIND"
            )
        else:
            found.append(_sendable(known[name], is_hidden=is_hidden))
    if not found:
        raise StepsNotServable("the model's features depend on no column")
    return InputSchema(features=tuple(found))


def _as_column(feature: Feature, name: str, known: Feature | None) -> Feature:
    """Return a model's feature under the name of its column, with what is said of the column."""
    if known is None:
        return feature.model_copy(update={"name": name})
    update = {
        "name": name,
        "sensitive": feature.sensitive or known.sensitive,
        "personal": feature.personal or known.personal,
    }
    return feature.model_copy(update=update)


def _sendable(feature: Feature, *, is_hidden: bool) -> Feature:
    if feature.missing and feature.kind != "float":
        raise StepsNotServable(
            f"the {feature.kind} {feature.name} may be missing, and a tensor of ONNX has no missing"
            f" {feature.kind}s: fill it before the steps, or leave it out"
        )
    return feature.model_copy(update={"sensitive": feature.sensitive or is_hidden})


def _check_names(schema: InputSchema, graph: OnnxGraph) -> None:
    """Raise if the graph would have two tensors of one name."""
    outputs = {one.name for one in graph.outputs}
    for name in schema.names:
        if name in outputs or name.startswith((STEPS, MODEL)):
            raise StepsNotServable(
                f"the column {name} has the name of another tensor of the graph: rename it before"
                " the steps"
            )


def _merge(
    model: ModelProto, spec: VersionSpec, schema: InputSchema, needed: NeededSteps
) -> ModelProto:
    graph, writer = OnnxGraph(model), GraphWriter(STEPS)
    table = input_table(writer, schema)
    write_steps(table, needed.steps)
    features = write_features(table, spec.input_schema, schema.names[0])
    if table.failed is not None:
        _require_floats(graph, spec)
    inputs = write_inputs(writer, graph, spec.input_schema, features)
    links = [helper.make_node("Identity", [data], [MODEL + name]) for name, data in inputs.items()]
    found = _of_opset(model, writer.opset)
    inner = compose.add_prefix_graph(found.graph, MODEL)
    before = len(writer.nodes)
    ends = [_output(writer, one, table.failed) for one in graph.outputs]
    nodes = [*writer.nodes[:before], *links, *inner.node, *writer.nodes[before:], *ends]
    used = {name for node in nodes for name in node.input}
    constants = [one for one in writer.constants if one.name in used]
    outputs = [
        helper.make_tensor_value_info(one.name, one.elem_type, one.shape) for one in graph.outputs
    ]
    found.graph.CopyFrom(
        helper.make_graph(
            nodes,
            inner.name or "model",
            _inputs(schema, rows_of(graph)),
            outputs,
            [*constants, *inner.initializer],
            value_info=inner.value_info,
            sparse_initializer=inner.sparse_initializer,
        )
    )
    return found


def _inputs(schema: InputSchema, rows: int | None) -> Sequence[ValueInfoProto]:
    length = "n" if rows is None else rows
    return [
        helper.make_tensor_value_info(one.name, TYPES[one.kind], [length, 1])
        for one in schema.features
    ]


def _require_floats(graph: OnnxGraph, spec: VersionSpec) -> None:
    """Raise if the outputs cannot say that a step has failed in a row."""
    is_label_only = spec.scores == "none" or spec.task == "multioutput_classification"
    if is_label_only or not any(one.elem_type in FLOATS for one in graph.outputs):
        raise StepsNotServable(
            "the steps may fail in a row, and the model has no scores to say so: let values be"
            ' missing with on_error = "missing" and fill them'
        )


def _output(writer: GraphWriter, output: Value, failed: str | None) -> NodeProto:
    source, name = MODEL + output.name, output.name
    if failed is not None and output.elem_type in FLOATS:
        source = with_failures(writer, output, source, failed)
    return helper.make_node("Identity", [source], [name])


def _of_opset(model: ModelProto, opset: int) -> ModelProto:
    """Return a copy of a model whose operators are at least of an opset.

    Raises:
        StepsNotServable: its own operators have no form in that opset.
    """
    present = next((one.version for one in model.opset_import if not one.domain), 0)
    found = ModelProto()
    found.CopyFrom(model)
    if 0 < present < opset:
        reason = f"the steps need operators of opset {opset}, and the model has those of {present}"
        with translate_library_errors(
            lambda text: StepsNotServable(f"{reason}: export it with a higher one ({text})")
        ):
            found = version_converter.convert_version(model, opset)
    if not present:
        found.opset_import.append(helper.make_opsetid("", opset))
    found.ir_version = max(found.ir_version, LEAST_IR)
    return found


def _record(model: ModelProto, needed: NeededSteps) -> None:
    """Write the steps to the metadata of an artifact."""
    steps = [
        one.model_dump(mode="json", by_alias=True, exclude_defaults=True) for one in needed.steps
    ]
    entry = model.metadata_props.add()
    entry.key, entry.value = STEPS_KEY, json.dumps(steps)
