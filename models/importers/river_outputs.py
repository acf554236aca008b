"""What a River model's outputs mean: its task, classes and targets, read from it or described."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from modstream.models.errors import (
    NotConvertible,
    OptionNotSupported,
    PredictError,
    UnreadableArtifact,
)
from modstream.models.importers.description import ModelDescription
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.river.inspection import (
    BOOLEANS,
    RiverRow,
    has_probabilities,
    known_labels,
    last_step,
    model_labels,
    ordered,
    speaks_booleans,
    takes_text,
)
from modstream.models.runtimes.river.named import name_of
from modstream.models.schema.card import ScoreKind, Target, Task
from modstream.models.schema.class_labels import ClassLabels
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch

_MIN_CLASSES = 2
SEVERAL_LABELS = (
    "a model of several outputs cannot learn from a stream, where a label is a single value;"
    " train it before you publish it"
)
"""Why a model of several outputs must be trained before it is published."""


@dataclass(frozen=True, slots=True)
class RiverOutputs:
    """The part of a version's card that says what its outputs mean."""

    task: Task
    classes: tuple[Scalar, ...] = ()
    scores: ScoreKind = "probability"
    targets: tuple[Target, ...] = ()


def describe_outputs(
    model: Any,  # noqa: ANN401 - any of River's classes
    task: Task,
    description: ModelDescription,
    samples: Batch,
) -> RiverOutputs:
    """Return what a model's outputs mean; "binary" stands for any classification.

    The model is asked about the samples, which may change it.

    Raises:
        OptionNotSupported: the description contradicts the model.
        NotConvertible: its classes or targets are unknown, or it fails on the samples.
    """
    name = type(last_step(model)).__name__
    rows: Sequence[RiverRow] = samples.rows()
    if takes_text(model):
        rows = [next(iter(row.values())) for row in samples.rows()]
    rows = [row for row in rows if _answers(model, task, row)] or rows
    with translate_library_errors(partial(NotConvertible, name)):
        if task == "binary":
            return _describe_classification(model, description, rows)
        if description.task not in {None, task}:
            raise OptionNotSupported("--task", f"{name} is a model of the task {task}")
        description.refuse("classes", reason=f"a model of the task {task} has no classes")
        if task in {"multioutput_regression", "multioutput_classification"}:
            description.refuse("scores", reason=f"a model of the task {task} has no scores")
            return RiverOutputs(task, targets=_targets(model, task, rows))
        scores: ScoreKind = "none" if task in {"clustering", "transformation"} else "probability"
        if description.scores not in {None, scores}:
            raise OptionNotSupported("--scores", f"{name} has none of that kind")
        return RiverOutputs(task, scores=scores)


def _answers(model: Any, task: Task, row: RiverRow) -> bool:  # noqa: ANN401 - River's
    """Return whether a classifier, or a model of several outputs, does not fail on a row."""
    if task != "binary" and not task.startswith("multioutput"):
        return True
    try:
        with translate_library_errors(partial(PredictError, "river")):
            model.predict_one(row)
    except PredictError:
        return False
    return True


def _describe_classification(
    model: Any,  # noqa: ANN401 - any of River's classes
    description: ModelDescription,
    rows: Sequence[RiverRow],
) -> RiverOutputs:
    classes = description.classes or _classes_of(model, rows)
    _check_classes(model, classes, rows)
    task: Task = description.task or ("multiclass" if len(classes) > _MIN_CLASSES else "binary")
    if task not in {"binary", "multiclass"} or (task == "binary" and len(classes) != _MIN_CLASSES):
        reason = f"{type(last_step(model)).__name__} is a classifier of {len(classes)} classes"
        raise OptionNotSupported("--task", reason)
    scores: ScoreKind = "probability" if has_probabilities(model, rows[0]) else "none"
    if description.scores not in {None, scores, "none"}:
        kind = "probabilities" if scores == "probability" else "labels only"
        raise OptionNotSupported("--scores", f"the model predicts {kind}")
    return RiverOutputs(task, classes, description.scores or scores)


def _classes_of(model: Any, rows: Sequence[RiverRow]) -> tuple[Scalar, ...]:  # noqa: ANN401 - River's
    """Return the classes that a classifier knows.

    Raises:
        NotConvertible: it may learn others.
    """
    known = [] if speaks_booleans(model) else known_labels(model, rows)
    if speaks_booleans(model) or (known and all(isinstance(one, bool) for one in known)):
        return BOOLEANS
    if len(known) >= _MIN_CLASSES:
        return tuple(known)
    told = f"has learned only the class {known[0]!r}" if known else "has learned no class yet"
    reason = f"it {told}, so its classes are unknown; name each with --class"
    raise NotConvertible(type(last_step(model)).__name__, reason)


def _check_classes(model: Any, classes: tuple[Scalar, ...], rows: Sequence[RiverRow]) -> None:  # noqa: ANN401 - River's
    """Raise unless the classes are at least two different ones and have all that a model knows.

    Raises:
        OptionNotSupported: they are not.
        NotConvertible: the model knows a label that no class can be.
    """
    name, labels = type(last_step(model)).__name__, ClassLabels(classes)
    shown = ", ".join(map(repr, classes))
    if {labels.index_of(one) for one in classes} != set(range(max(_MIN_CLASSES, len(classes)))):
        raise OptionNotSupported("--class", f"{shown} are not two or more different classes")
    try:
        own = ClassLabels(model_labels(model, classes))
    except UnreadableArtifact as error:
        raise OptionNotSupported("--class", error.reason) from error
    for known in known_labels(model, rows):
        if not isinstance(known, bool | int | float | str):
            raise NotConvertible(name, f"its label {known!r} is no text, number or boolean")
        if own.index_of(known) is None:
            reason = f"{name} has learned the class {known!r}, which is not among {shown}"
            raise OptionNotSupported("--class", reason)


def _targets(model: Any, task: Task, rows: Sequence[RiverRow]) -> tuple[Target, ...]:  # noqa: ANN401 - River's
    """Return the outputs that a model predicts for rows.

    Raises:
        NotConvertible: it predicts none, so that they are unknown.
    """
    classes: dict[str, set[Any]] = {}
    for row in rows:
        for key, value in model.predict_one(row).items():
            classes.setdefault(name_of(key), set()).add(value)
        if task == "multioutput_classification":
            for key, found in _target_probabilities(model, row).items():
                classes.setdefault(name_of(key), set()).update(found)
    if not classes:
        reason = f"it has learned nothing, and {SEVERAL_LABELS}"
        raise NotConvertible(type(last_step(model)).__name__, reason)
    if task == "multioutput_regression":
        return tuple(Target(name=name) for name in classes)
    return tuple(Target(name=name, classes=_two_or_more(known)) for name, known in classes.items())


def _target_probabilities(model: Any, row: RiverRow) -> dict[Any, Any]:  # noqa: ANN401 - River's
    try:
        found: dict[Any, Any] = model.predict_proba_one(row)
    except NotImplementedError:
        return {}
    return found


def _two_or_more(known: set[Any]) -> tuple[Scalar, ...]:
    classes = tuple(ordered(known))
    return BOOLEANS if set(classes) <= set(BOOLEANS) else classes
