"""The classes of an ONNX classification: as its graph names them, or as the caller does."""

from typing import Literal

from onnx import TensorProto

from modstream.models.errors import OptionNotSupported
from modstream.models.importers.onnx.candidates import Labels, Numbers
from modstream.models.importers.onnx.plan import Outputs, ask_for_task, known_width
from modstream.models.schema.class_labels import ClassLabels
from modstream.models.schema.columns import Scalar

ClassTask = Literal["binary", "multiclass"]
_SHOWN_CLASSES = 10


def raw_labels(label: Labels | None, numbers: Numbers | None, given: int) -> tuple[Scalar, ...]:
    """Return the graph's own labels in the order of the scores; empty if they are not known.

    `given` is the number of classes that the caller names.
    """
    if label is not None and label.origin.is_index:
        width = given if numbers is None else numbers.width
        return tuple(range(width or 0))
    named = () if numbers is None else numbers.origin.classes
    if label is not None and (label.raw_classes or named):
        return label.raw_classes or named
    if label is not None and label.value.elem_type == TensorProto.BOOL:
        return (False, True)
    return named


def choose_classes(
    outputs: Outputs,
    task: ClassTask,
    raw: tuple[Scalar, ...],
    label: Labels | None,
    numbers: Numbers | None,
) -> tuple[Scalar, ...]:
    """Return the classes: the caller's, else the graph's own, else the columns' names or numbers.

    Raises:
        OptionNotSupported: the caller's classes or task contradict the graph.
        MeaningUnknown: the graph does not name them and has no column for each.
    """
    given = outputs.description.classes
    width = None if numbers is None else known_width(numbers)
    classes = given or _own_classes(outputs, raw, label, width)
    if not classes:
        raise ask_for_task(outputs, f"--task {task} and a --class for each class, in order")
    if given:
        _check_given(given, raw, label)
    if task == "binary" and len(classes) != 2:
        raise OptionNotSupported("--task", f"the graph has {len(classes)} classes")
    if width is not None and width != len(classes) and (width, len(classes)) != (1, 2):
        if given:
            reason = (
                f"the output {_of(numbers)} has {width} columns: name {width} classes, in order"
            )
            raise OptionNotSupported("--class", reason)
        raise OptionNotSupported("--task", f"the output {_of(numbers)} has {width} columns")
    if width == 1 and task == "multiclass":
        raise OptionNotSupported("--task", f"the output {_of(numbers)} has one column: binary")
    return classes


def _own_classes(
    outputs: Outputs, raw: tuple[Scalar, ...], label: Labels | None, width: int | None
) -> tuple[Scalar, ...]:
    """Return the classes that the graph names, or the names or numbers of its columns."""
    is_index = label is None or label.origin.is_index
    columns: tuple[Scalar, ...] = tuple(range(max(width, 2))) if is_index and width else ()
    if raw in {(), columns} and len(outputs.class_names) == len(columns):
        return outputs.class_names
    return raw or columns


def _check_given(given: tuple[Scalar, ...], raw: tuple[Scalar, ...], label: Labels | None) -> None:
    """Raise if the caller's classes cannot be the graph's.

    Raises:
        OptionNotSupported: two are the same, there are more or fewer, they are the graph's own in
            another order, or the graph has a label that is none of them.
    """
    if len(set(map(str, given))) < len(given):
        raise OptionNotSupported("--class", "two classes have the same name")
    if raw:
        if len(given) != len(raw):
            raise OptionNotSupported("--class", f"the graph has {len(raw)} classes: {_show(raw)}")
        order = [ClassLabels(given).index_of(one) for one in raw]
        if set(order) == set(range(len(raw))) and order != list(range(len(raw))):
            raise OptionNotSupported("--class", f"the graph's order is {_show(raw)}")
    if label is not None and (not raw or label.origin.is_index):
        own = ClassLabels(raw or given)
        unknown = [one for one in set(label.seen) if own.index_of(one) is None]
        if unknown:
            raise OptionNotSupported("--class", f"the graph also has the label {unknown[0]!r}")


def _of(numbers: Numbers | None) -> str:
    return "" if numbers is None else str(numbers.value)


def _show(classes: tuple[Scalar, ...]) -> str:
    more = ", ..." if len(classes) > _SHOWN_CLASSES else ""
    return ", ".join(map(repr, classes[:_SHOWN_CLASSES])) + more
