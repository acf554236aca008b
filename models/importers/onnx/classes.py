"""Plans of ONNX classifications and clusterings: what the scores of their classes mean."""

import numpy as np

from modstream.models.errors import MeaningUnknown, OptionNotSupported
from modstream.models.importers.onnx.candidates import Labels, Numbers
from modstream.models.importers.onnx.class_names import ClassTask, choose_classes, raw_labels
from modstream.models.importers.onnx.plan import (
    OutputPlan,
    Outputs,
    ask_for_task,
    known_width,
    only_numbers,
)
from modstream.models.importers.onnx.rewrite import Conversion
from modstream.models.importers.onnx.scores import Meaning
from modstream.models.schema.card import ScoreKind
from modstream.models.schema.columns import Scalar

_SHARES: frozenset[Meaning | None] = frozenset(
    {"probability", "log_probability", "sigmoid", "mixture"}
)
TIE = 1e-5
"""Difference of two probabilities below which either class may be the label."""


def plan_classification(outputs: Outputs, task: ClassTask) -> OutputPlan:
    """Plan a classification with probabilities, margins or labels only.

    Raises:
        OptionNotSupported: the description contradicts the graph.
        MeaningUnknown: the graph says neither the classes nor what their scores mean.
    """
    label = outputs.main_label
    if outputs.numbers and outputs.description.scores != "none":
        return _plan_scores(outputs, task, label, _class_numbers(outputs))
    if label is None:
        reason = f"the graph has no output of labels ({outputs.shown})"
        raise OptionNotSupported("--scores", reason)
    _check_no_scores(outputs)
    raw = raw_labels(label, None, len(outputs.description.classes))
    classes = choose_classes(outputs, task, raw, label, None)
    return OutputPlan(
        task=task,
        outputs=(label.name,),
        classes=classes,
        scores="none",
        raw_labels=_mapped(raw, classes),
    )


def _plan_scores(
    outputs: Outputs, task: ClassTask, label: Labels | None, numbers: Numbers
) -> OutputPlan:
    """Plan a classification with scores: probabilities, or else labels beside them."""
    raw = raw_labels(label, numbers, len(outputs.description.classes))
    classes = choose_classes(outputs, task, raw, label, numbers)
    scores = _score_kind(outputs, label, numbers)
    if scores == "probability":
        if label is not None:
            _check_argmax(outputs, label, numbers, raw)
        is_log = numbers.meaning == "log_probability"
        return OutputPlan(
            task=task,
            outputs=(numbers.name,),
            classes=classes,
            conversion="exp" if is_log else None,
        )
    return OutputPlan(
        task=task,
        outputs=(numbers.name,) if label is None else (label.name, numbers.name),
        classes=classes,
        scores=scores,
        conversion=_margin_conversion(task, numbers, label, raw),
        raw_labels=() if label is None else _mapped(raw, classes),
    )


def plan_clustering(outputs: Outputs) -> OutputPlan:
    """Plan a clustering: labels, and distances from the clusters or their probabilities.

    Raises:
        OptionNotSupported: the description contradicts the graph.
        MeaningUnknown: the graph does not say what the clusters' numbers mean.
    """
    label, wanted = outputs.main_label, outputs.description.scores
    numbers = None
    if outputs.numbers and wanted != "none":
        numbers = only_numbers(outputs, outputs.numbers)
    if numbers is None:
        if label is None:
            raise OptionNotSupported("--task", "the graph has no output of labels or numbers")
        _check_no_scores(outputs)
        outputs.description.refuse("classes", reason="the graph's labels are the clusters")
        return OutputPlan(task="clustering", outputs=(label.name,), scores="none")
    found: ScoreKind | None = None
    if label is not None and label.origin.choice == "min":
        found = "distance"
    elif numbers.meaning in _SHARES:
        found = "probability"
    if (wanted or found) is None:
        options = "--task clustering and --scores distance, probability or none"
        raise ask_for_task(outputs, options)
    if wanted is not None and found not in {None, wanted}:
        raise OptionNotSupported("--scores", f"the graph calculates each cluster's {found}")
    classes, width = outputs.description.classes, known_width(numbers)
    if classes and len(classes) != width:
        raise OptionNotSupported("--class", f"the graph has {width} clusters")
    return OutputPlan(
        task="clustering",
        outputs=(numbers.name,) if label is None else (label.name, numbers.name),
        classes=classes,
        scores=wanted or found or "none",
        conversion="exp" if numbers.meaning == "log_probability" else None,
        raw_labels=tuple(range(width)) if classes and label is not None else (),
    )


def _check_no_scores(outputs: Outputs) -> None:
    if outputs.description.scores not in {None, "none"}:
        reason = f"the graph has no output of numbers ({outputs.shown})"
        raise OptionNotSupported("--scores", reason)


def _class_numbers(outputs: Outputs) -> Numbers:
    """Return the scores of the classes: the only numbers, or those that a classifier makes."""
    named = [one for one in outputs.numbers if one.origin.classes or one.meaning in _SHARES]
    return only_numbers(outputs, named if len(named) == 1 else outputs.numbers)


def _mapped(raw: tuple[Scalar, ...], classes: tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    """Return the graph's labels, or nothing if they are the classes themselves."""
    return () if raw == classes else raw


def _score_kind(outputs: Outputs, label: Labels | None, numbers: Numbers) -> ScoreKind:
    """Return what the scores of the classes mean: as the graph says, or else as the caller says.

    Scores of unknown operators are probabilities if they measurably are, and margins if the graph
    chooses its labels by them.
    """
    meaning, wanted = numbers.meaning, outputs.description.scores
    if meaning in _SHARES:
        if wanted not in {None, "probability"}:
            raise OptionNotSupported("--scores", f"{numbers.value} are probabilities")
        return "probability"
    if wanted == "probability" and not numbers.may_be_shares:
        reason = (
            f"{numbers.value} has {numbers.range}, and probabilities are from 0 to 1: use --scores"
            " margin, or export the model with its softmax or sigmoid"
        )
        raise OptionNotSupported("--scores", reason)
    if meaning == "margin" and wanted not in {None, "margin"}:
        raise OptionNotSupported("--scores", f"{numbers.value} are margins, not normalised")
    if wanted is not None:
        return wanted
    is_classifier = label is not None and label.origin.is_known
    if (
        meaning is None
        and numbers.are_measured_shares
        and (is_classifier or numbers.origin.classes)
    ):
        return "probability"
    if meaning == "margin" or is_classifier or numbers.origin.classes:
        return "margin"
    raise ask_for_task(
        outputs, f"--scores probability or margin ({numbers.value} has {numbers.range})"
    )


def _margin_conversion(
    task: ClassTask,
    numbers: Numbers,
    label: Labels | None,
    raw: tuple[Scalar, ...],
) -> Conversion | None:
    """Return how two scores become the one margin of a binary classification.

    It is positive for the second class. Of mirrored columns ONNX's SVMClassifier has it in the
    first, and LinearClassifier in the second: the measured labels tell which.

    Raises:
        MeaningUnknown: the labels agree with neither column.
    """
    if task != "binary" or numbers.width == 1:
        return None
    if not numbers.is_mirrored:
        return "second minus first"
    if label is None or numbers.measured is None or not raw:
        return None
    first = [score > 0 for score in numbers.measured[:, 0].tolist()]
    positive = [one == raw[1] for one in label.seen]
    if first == positive:
        return "first"
    if [not one for one in first] == positive:
        return None
    what = f"which of the columns of {numbers.value} is the margin of the second class"
    raise MeaningUnknown(what, "export it with one column, or publish it with --scores none")


def _check_argmax(
    outputs: Outputs, label: Labels, numbers: Numbers, raw: tuple[Scalar, ...]
) -> None:
    """Raise if a measured label is not the most probable class, as its answer would name that.

    Of two classes only the probability of the second is served, and a threshold is the caller's:
    there, a label may be another one, but not always.

    Raises:
        MeaningUnknown: one is not, and the caller did not ask for probabilities.
    """
    if outputs.description.scores == "probability" or numbers.measured is None or not raw:
        return
    rows = np.asarray(numbers.measured, np.float64)
    if rows.shape[1] == 1:
        rows = np.hstack([1 - rows, rows])
    index = {one: at for at, one in enumerate(raw)}
    others = [
        seen
        for row, seen in zip(rows, label.seen, strict=True)
        if seen not in index or row[index[seen]] < row.max() - TIE
    ]
    if len(others) > (0 if len(raw) > 2 else len(rows) - 1):
        raise MeaningUnknown(
            f"which class it predicts (its label {others[0]!r} is not the most probable class)",
            "publish it with --scores none to serve its labels, or with --scores probability",
        )
