"""What a version of an ONNX model predicts, and from which of the graph's outputs."""

from collections.abc import Sequence
from dataclasses import dataclass

from modstream.models.errors import MeaningUnknown, OptionNotSupported
from modstream.models.importers.description import ModelDescription
from modstream.models.importers.onnx.candidates import Labels, Numbers
from modstream.models.importers.onnx.rewrite import Conversion
from modstream.models.schema.card import ScoreKind, Target, Task
from modstream.models.schema.columns import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPlan:
    """The meaning of a graph's outputs.

    `outputs` are kept, in this order. `conversion` is applied to the last of them. `raw_labels` are
    the graph's own labels in the order of `classes`, if the graph has them.
    """

    task: Task
    outputs: tuple[str, ...]
    classes: tuple[Scalar, ...] = ()
    scores: ScoreKind = "probability"
    targets: tuple[Target, ...] = ()
    conversion: Conversion | None = None
    raw_labels: tuple[Scalar, ...] = ()


@dataclass(frozen=True, slots=True)
class Outputs:
    """The outputs that a plan can use, and what the caller says about them.

    `class_names` are those in the graph's metadata.
    """

    numbers: list[Numbers]
    labels: list[Labels]
    integers: list[Numbers]
    class_names: tuple[Scalar, ...]
    description: ModelDescription

    @property
    def main_label(self) -> Labels | None:
        """The output of labels whose origin is known, or the only one."""
        known = [label for label in self.labels if label.origin.is_known]
        return known[0] if known else self.labels[0] if len(self.labels) == 1 else None

    @property
    def shown(self) -> str:
        """The outputs, for messages."""
        values = [one.value for one in self.numbers] + [one.value for one in self.labels]
        return ", ".join(map(str, values)) or "none"


def ask_for_task(outputs: Outputs, *options: str) -> MeaningUnknown:
    """Return the error for outputs whose meaning the caller has to give."""
    return MeaningUnknown(
        f"what its outputs mean ({outputs.shown})",
        f"publish it with {', or with '.join(options)}; --task tensors serves all outputs as they"
        " are",
    )


def only_numbers(outputs: Outputs, numbers: Sequence[Numbers]) -> Numbers:
    """Return the only output of numbers.

    Raises:
        MeaningUnknown: there are none or several.
    """
    if len(numbers) == 1:
        return numbers[0]
    what = f"which of its outputs has the numbers ({outputs.shown})"
    remedy = "export it with one output of floats, or publish it with --task tensors"
    raise MeaningUnknown(what, remedy)


def known_width(numbers: Numbers) -> int:
    """Return the number of columns.

    Raises:
        MeaningUnknown: it is neither declared nor could it be measured.
    """
    if numbers.width is None:
        what = f"how many columns its output {numbers.value} has"
        raise MeaningUnknown(what, "give rows that it can predict with --sample")
    return numbers.width


def plan_regression(outputs: Outputs) -> OutputPlan:
    """Plan a regression: one column of numbers.

    Raises:
        OptionNotSupported: there are more columns, or the description has classes or scores.
        MeaningUnknown: there are several outputs of numbers.
    """
    outputs.description.refuse("classes", "scores", reason="a regression has none")
    numbers = only_numbers(outputs, outputs.numbers or outputs.integers)
    width = known_width(numbers)
    if width != 1:
        reason = f"the output {numbers.value} has {width} columns; use multioutput_regression"
        raise OptionNotSupported("--task", reason)
    return OutputPlan(task="regression", outputs=(numbers.name,))


def plan_values(outputs: Outputs, task: Task) -> OutputPlan:
    """Plan a multioutput regression or a transformation: all outputs of numbers, side by side.

    The targets of a single output are y0, y1 and so on, those of several have the outputs' names.

    Raises:
        OptionNotSupported: the description has classes or scores.
        MeaningUnknown: there is no output of numbers, or its width is not known.
    """
    outputs.description.refuse("classes", "scores", reason=f"a {task} has none")
    numbers = outputs.numbers or outputs.integers
    if not numbers:
        raise ask_for_task(outputs, "--task tensors")
    widths = [known_width(one) for one in numbers]
    if len(numbers) == 1:
        names = [f"y{index}" for index in range(widths[0])]
    else:
        names = [
            name
            for one, width in zip(numbers, widths, strict=True)
            for name in ([one.name] if width == 1 else [f"{one.name}{i}" for i in range(width)])
        ]
    if len(set(names)) < len(names):
        names = [f"y{index}" for index in range(len(names))]
    return OutputPlan(
        task=task,
        outputs=tuple(one.name for one in numbers),
        targets=tuple(Target(name=name) for name in names),
    )


def plan_several_labels(outputs: Outputs) -> OutputPlan:
    """Plan a multioutput classification: all outputs of labels, side by side.

    Raises:
        OptionNotSupported: the description has classes or scores.
        MeaningUnknown: there is no output of labels, or its width is not known.
    """
    reason = "a multioutput classification serves the labels of its graph"
    outputs.description.refuse("classes", "scores", reason=reason)
    targets: list[Target] = []
    for label in outputs.labels:
        if label.width is None:
            what = f"how many columns its output {label.value} has"
            raise MeaningUnknown(what, "give rows that it can predict with --sample")
        if label.width == 1 and len(outputs.labels) > 1:
            targets.append(Target(name=label.name, classes=label.raw_classes))
            continue
        parts = [part.classes for part in label.parts]
        parts = parts if len(parts) == label.width else [()] * label.width
        prefix = "y" if len(outputs.labels) == 1 else label.name
        targets += [
            Target(name=f"{prefix}{at}", classes=classes) for at, classes in enumerate(parts)
        ]
    if not targets:
        raise ask_for_task(outputs, "--task tensors")
    return OutputPlan(
        task="multioutput_classification",
        outputs=tuple(label.name for label in outputs.labels),
        scores="none",
        targets=tuple(targets),
    )


def plan_anomaly(outputs: Outputs) -> OutputPlan:
    """Plan a detector of anomalies: one column of scores, turned so that higher is more anomalous.

    Labels beside the scores say which side is anomalous: -1 of -1 and 1, or 1 of 0 and 1.

    Raises:
        OptionNotSupported: there are more columns, or the description has classes or scores.
        MeaningUnknown: the labels do not say which side is anomalous.
    """
    outputs.description.refuse("classes", "scores", reason="an anomaly detector has none")
    numbers = only_numbers(outputs, outputs.numbers)
    if known_width(numbers) != 1:
        raise OptionNotSupported("--task", f"the output {numbers.value} is not one score per row")
    label = outputs.main_label
    is_turned = label is not None and _normal_is_higher(numbers, label)
    return OutputPlan(
        task="anomaly", outputs=(numbers.name,), conversion="negate" if is_turned else None
    )


def _normal_is_higher(numbers: Numbers, label: Labels) -> bool:
    """Return whether the scores of normal rows are the higher ones.

    Raises:
        MeaningUnknown: the measured rows do not show it.
    """
    seen = set(label.seen)
    if numbers.measured is not None and seen and (seen <= {-1, 1} or seen <= {0, 1}):
        outlier = -1 if seen <= {-1, 1} else 1
        pairs = list(zip(numbers.measured[:, 0].tolist(), label.seen, strict=True))
        outliers = [score for score, one in pairs if one == outlier]
        normal = [score for score, one in pairs if one != outlier]
        if max(outliers, default=0.0) <= min(normal, default=0.0):
            return True
        if min(outliers, default=0.0) >= max(normal, default=0.0):
            return False
    what = f"which of its scores are anomalous ({numbers.value} beside {label.value})"
    raise MeaningUnknown(what, "give normal rows and anomalies with --sample")
