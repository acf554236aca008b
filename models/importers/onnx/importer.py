"""Import of ONNX models: what they take and predict is read from the graph."""

from importlib.metadata import version

import onnx

from modstream.models.errors import MeaningUnknown, UnreadableArtifact
from modstream.models.importers.description import NO_DESCRIPTION, ModelDescription
from modstream.models.importers.imported_model import ImportedModel, Samples
from modstream.models.importers.onnx.candidates import integers_of, labels_of, numbers_of
from modstream.models.importers.onnx.graph import OnnxGraph, metadata_classes
from modstream.models.importers.onnx.inputs import DATATYPES, read_input_tensors, read_inputs
from modstream.models.importers.onnx.outputs import plan_outputs
from modstream.models.importers.onnx.plan import OutputPlan, Outputs
from modstream.models.importers.onnx.probe import Probe, probe
from modstream.models.importers.onnx.rewrite import (
    convert_output,
    keep_outputs,
    merge_columns,
    name_labels,
    strip_zipmaps,
)
from modstream.models.importers.onnx.tensors import read_output_tensors
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.onnx_safety import sanitize_onnx
from modstream.models.runtimes.onnx_session import OnnxSession
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec


def import_onnx(
    name: str,
    content: bytes,
    note: str = "",
    description: ModelDescription = NO_DESCRIPTION,
) -> ImportedModel:
    """Import an ONNX model.

    A single input [n, k] becomes the features x0, x1 and so on, and inputs [n, 1] or [n] one
    feature each, by name. A graph of other inputs takes tensors. Task, classes and the meaning of
    scores are read from the graph's operators, measured on a few rows, or taken from the
    description. The artifact has only the outputs that its card describes.

    Raises:
        MeaningUnknown: the graph does not say what a part of it means, and neither does the
            description.
        OptionNotSupported: the description contradicts the graph.
        ExternalData: a tensor refers to a file.
        UnreadableArtifact: it is not an ONNX model that ONNX Runtime can load.
        PredictTimedOut: a few rows take it too long.
    """
    checked = sanitize_onnx(content)
    with translate_library_errors(lambda reason: UnreadableArtifact("onnx", reason)):
        model = onnx.load_model_from_string(checked)
    zipmaps = strip_zipmaps(model)
    merge_columns(model)
    _drop_unsendable_outputs(model)
    graph = OnnxGraph(model)
    schema = read_inputs(graph, description)
    session = OnnxSession(model.SerializeToString(), optimize=False)
    if schema is None:
        return _import_tensors(name, graph, session, note, description)
    probed = probe(session, graph, schema, description.samples)
    outputs = Outputs(
        numbers_of(graph, probed, zipmaps),
        labels_of(graph, probed),
        integers_of(graph, probed),
        metadata_classes(graph),
        description,
    )
    plan = _plan(graph, outputs, probed)
    _apply(plan, graph)
    spec = VersionSpec(
        name=name,
        runtime="onnx",
        task=plan.task,
        classes=plan.classes,
        scores=plan.scores,
        targets=plan.targets,
        input_schema=schema,
        sample_rows=probed.sample_rows(),
        libraries={"onnx": version("onnx")},
        note=note or "an ONNX model",
    )
    return ImportedModel(spec, model.SerializeToString(), _samples(probed, description))


def _plan(graph: OnnxGraph, outputs: Outputs, probed: Probe) -> OutputPlan:
    """Return what the graph predicts, from outputs that have an entry for each row."""
    try:
        plan = plan_outputs(graph, outputs)
    except MeaningUnknown:
        probed.check_rows([*probed.outputs])
        raise
    probed.check_rows(plan.outputs)
    return plan


def _import_tensors(
    name: str,
    graph: OnnxGraph,
    session: OnnxSession,
    note: str,
    description: ModelDescription,
) -> ImportedModel:
    """Import a graph that takes tensors; they are its own, with their names and shapes."""
    if description.task not in {None, "tensors"}:
        description.refuse("task", reason="the graph's inputs are tensors, not features of rows")
    description.refuse("scores", "classes", "samples", reason="a model of tensors has none")
    spec = VersionSpec(
        name=name,
        runtime="onnx",
        task="tensors",
        input_schema=InputSchema(features=()),
        input_tensors=read_input_tensors(graph),
        output_tensors=read_output_tensors(graph, session),
        libraries={"onnx": version("onnx")},
        note=note or "an ONNX model",
    )
    return ImportedModel(spec, graph.model.SerializeToString())


def _apply(plan: OutputPlan, graph: OnnxGraph) -> None:
    """Leave the outputs of the plan in the graph, converted, and the meaning of its labels."""
    keep_outputs(graph.model, plan.outputs)
    if plan.conversion is not None:
        last = next(value for value in graph.outputs if value.name == plan.outputs[-1])
        convert_output(graph.model, last, plan.conversion)
    if plan.raw_labels:
        name_labels(graph.model, plan.raw_labels)


def _samples(probed: Probe, description: ModelDescription) -> Samples | None:
    rows = description.samples or probed.rows
    return Samples(rows=rows) if rows else None


def _drop_unsendable_outputs(model: onnx.ModelProto) -> None:
    """Leave out the outputs that no response can have: lists, mappings, optional values, bfloat16.

    Raises:
        UnreadableArtifact: there are no others.
    """
    sendable = [
        output
        for output in model.graph.output
        if output.type.HasField("tensor_type") and output.type.tensor_type.elem_type in DATATYPES
    ]
    if not sendable:
        kinds = {output.type.WhichOneof("value") or "none" for output in model.graph.output}
        reason = (
            f"none of its outputs is a tensor of numbers, strings or bools ({', '.join(kinds)}):"
            " export it with such an output"
        )
        raise UnreadableArtifact("onnx", reason)
    keep_outputs(model, [output.name for output in sendable])
