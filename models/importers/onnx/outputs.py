"""What an ONNX graph predicts: read from the graph, or as the caller says, never guessed."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from onnx import TensorProto

from modstream.models.errors import OptionNotSupported
from modstream.models.importers.onnx.candidates import Labels, Numbers
from modstream.models.importers.onnx.classes import plan_classification, plan_clustering
from modstream.models.importers.onnx.graph import OnnxGraph
from modstream.models.importers.onnx.labels import is_sign_of
from modstream.models.importers.onnx.plan import (
    OutputPlan,
    Outputs,
    ask_for_task,
    known_width,
    plan_anomaly,
    plan_regression,
    plan_several_labels,
    plan_values,
)
from modstream.models.schema.card import Task

_PLANNERS: Mapping[Task, Callable[[Outputs], OutputPlan]] = MappingProxyType(
    {
        "binary": lambda outputs: plan_classification(outputs, "binary"),
        "multiclass": lambda outputs: plan_classification(outputs, "multiclass"),
        "regression": plan_regression,
        "anomaly": plan_anomaly,
        "multioutput_regression": lambda outputs: plan_values(outputs, "multioutput_regression"),
        "multioutput_classification": plan_several_labels,
        "clustering": plan_clustering,
        "transformation": lambda outputs: plan_values(outputs, "transformation"),
    }
)
_COLUMN_OPTIONS = (
    "--task multioutput_regression",
    "--task multiclass (or binary), a --class for each column, and --scores margin or probability",
)


def plan_outputs(graph: OnnxGraph, outputs: Outputs) -> OutputPlan:
    """Return what a graph of rows predicts.

    Raises:
        MeaningUnknown: the graph does not say it, and neither does the caller.
        OptionNotSupported: the caller's description contradicts the graph.
    """
    description = outputs.description
    task = description.task or _infer_task(graph, outputs)
    if task not in _PLANNERS:
        raise OptionNotSupported("--task", f"an ONNX graph is no {task}")
    classes = () if outputs.main_label is None else outputs.main_label.origin.classes
    if classes and description.task in {"regression", "multioutput_regression"}:
        reason = f"the graph is a classifier of {len(classes)} classes"
        raise OptionNotSupported("--task", reason)
    return _PLANNERS[task](outputs)


def _infer_task(graph: OnnxGraph, outputs: Outputs) -> Task:
    label, numbers = outputs.main_label, outputs.numbers
    if label is not None and label.origin.is_known:
        return _infer_of_label(outputs, label)
    if outputs.labels and not numbers:
        return _infer_of_labels(outputs)
    if outputs.labels:
        return _infer_of_both(graph, outputs)
    if len(numbers) == 1:
        return _infer_of_numbers(outputs, numbers[0])
    if numbers and all(known_width(one) == 1 for one in numbers):
        return "multioutput_regression"
    raise ask_for_task(outputs, *_COLUMN_OPTIONS[:1])


def _infer_of_label(outputs: Outputs, label: Labels) -> Task:
    """Return the task of a graph that says what its labels are."""
    if label.width is not None and label.width > 1:
        return "multioutput_classification"
    if not label.origin.classes:
        is_mixture = any(one.meaning == "mixture" for one in outputs.numbers)
        if label.origin.choice == "min" or is_mixture:
            return "clustering"
    count = len(outputs.description.classes or label.origin.classes)
    if not count:
        widths = [one.width for one in outputs.numbers]
        if len(widths) != 1 or widths[0] is None:
            raise ask_for_task(outputs, "--task multiclass and a --class for each class, in order")
        count = widths[0]
    return "binary" if count == 2 else "multiclass"


def _infer_of_labels(outputs: Outputs) -> Task:
    """Return the task of a graph with labels only, whose origin is not known."""
    labels = outputs.labels
    is_category = all(
        label.value.elem_type in {TensorProto.STRING, TensorProto.BOOL} for label in labels
    )
    parts_are_known = all(label.parts and all(p.is_known for p in label.parts) for label in labels)
    is_wide = len(labels) > 1 or (labels[0].width or 1) > 1
    if is_wide and (is_category or parts_are_known):
        return "multioutput_classification"
    if not is_wide and labels[0].value.elem_type == TensorProto.BOOL:
        return "binary"
    if outputs.description.classes:
        return "binary" if len(outputs.description.classes) == 2 else "multiclass"
    options = ["--task multiclass (or binary) and a --class for each class, in order"]
    if not is_category:
        options.append("--task regression" if not is_wide else "--task multioutput_regression")
    raise ask_for_task(outputs, *options)


def _infer_of_both(graph: OnnxGraph, outputs: Outputs) -> Task:
    """Return the task of a graph with numbers, and labels whose origin is not known."""
    numbers, labels = outputs.numbers, outputs.labels
    named = [one for one in numbers if one.origin.classes]
    count = len(outputs.description.classes or (named[0].origin.classes if named else ()))
    if count:
        return "binary" if count == 2 else "multiclass"
    if len(labels) == 1 and len(numbers) == 1:
        label, scores = labels[0], numbers[0]
        if (label.width or 1) > 1 and label.parts and all(p.is_known for p in label.parts):
            return "multioutput_classification"
        is_detector = scores.width == 1 and set(label.seen) in ({-1, 1}, {-1}, {1})
        if is_detector and is_sign_of(graph, label.name, scores.origin.source):
            return "anomaly"
    raise ask_for_task(
        outputs,
        "--task binary or multiclass and a --class for each class, in order",
        "--task anomaly",
        "--task clustering",
    )


def _infer_of_numbers(outputs: Outputs, numbers: Numbers) -> Task:
    """Return the task of a graph whose only output are numbers.

    One column is a value, unless the graph makes a share of 0 to 1 of it at the end. Several
    columns are what their operator says.
    """
    width, meaning = known_width(numbers), numbers.meaning
    count = len(numbers.origin.classes) or max(width, 2)
    if meaning in {"probability", "log_probability", "margin"}:
        return "binary" if count == 2 else "multiclass"
    if meaning == "mixture":
        return "clustering"
    if meaning == "feature":
        return "transformation"
    if meaning == "value" and width > 1:
        return "multioutput_regression"
    if outputs.description.classes:
        return "binary" if len(outputs.description.classes) == 2 else "multiclass"
    if width == 1 and meaning not in {"sigmoid", "encoding"}:
        return "regression"
    if width == 1 and meaning == "encoding":
        raise ask_for_task(outputs, "--task regression", "--task transformation")
    if width == 1:
        raise ask_for_task(outputs, "--task binary, for a probability", "--task regression")
    raise ask_for_task(outputs, *_COLUMN_OPTIONS)
