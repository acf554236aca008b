"""What a River model does, read from its classes: its task, its input, the labels that it knows.

Classes outside `river.base` are recognised by their names: importing them would take two seconds.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from river import base
from river.compose import Pipeline, TransformerUnion

from modstream.models.errors import UnreadableArtifact
from modstream.models.schema.card import Task
from modstream.models.schema.class_labels import ClassLabels
from modstream.models.schema.columns import Scalar

RiverRow = dict[str, Any] | str
"""A row as River takes it: features by name, or the text itself."""
BOOLEANS = (False, True)

_FORECASTER = "river.time_series.base.Forecaster"
_ACTIVE_LEARNER = "river.active.base.ActiveLearningClassifier"
_UNSERVABLE: Mapping[str, str] = MappingProxyType(
    {
        "river.reco.base.Ranker": (
            "it rates pairs of users and items, not rows of features; use a regressor of both,"
            " such as FMRegressor"
        ),
        "river.base.anomaly_detector.SupervisedAnomalyDetector": (
            "it scores a row together with its label, which no request has; use a detector that"
            " learns rows alone, such as HalfSpaceTrees"
        ),
        "river.cluster.odac.ODAC": (
            "it clusters features, and assigns no row to a cluster; use a clusterer of rows, such"
            " as KMeans"
        ),
        "river.feature_extraction.kernel_approx.RandomTreesEmbedding": (
            "it knows its nodes by their addresses in memory, which no file can keep; use another"
            " transformer, such as RBFSampler"
        ),
        "river.compat.sklearn_to_river.SKL2RiverBase": (
            "it contains a scikit-learn model; publish that model itself"
        ),
    }
)
"""Models without predictions from features alone, and others, by a base class; with the reason."""
_TASKS: tuple[tuple[tuple[type, ...], Task], ...] = (
    ((base.MultiTargetRegressor,), "multioutput_regression"),
    ((base.MultiLabelClassifier,), "multioutput_classification"),
    ((base.AnomalyDetector, base.AnomalyFilter), "anomaly"),
    ((base.Clusterer,), "clustering"),
    ((base.Classifier,), "binary"),
    ((base.Regressor,), "regression"),
    ((base.Transformer, base.SupervisedTransformer), "transformation"),
)
"""The task by the base classes of a model's last step; the first that fits decides."""


_LABELS_KEPT: Mapping[str, str] = MappingProxyType(
    {"OneVsOneClassifier": "classes", "OutputCodeClassifier": "code_book"}
)
"""The attribute with the labels that a classifier without probabilities has learned."""


class NotServable(NamedTuple):
    """The reason why a model has no task."""

    reason: str


def last_step(model: Any) -> Any:  # noqa: ANN401 - any of River's classes
    """Return the last step of a pipeline, or the model itself; an empty pipeline is its own."""
    while type(model) is Pipeline and model.steps:
        model = list(model.steps.values())[-1]
    return model


def river_task(model: Any) -> Task | NotServable:  # noqa: ANN401 - any of River's classes
    """Return a model's task by its last step; "binary" stands for any classification."""
    last = last_step(model)
    if type(last) is Pipeline:
        return NotServable("the pipeline has no steps")
    names = _class_names(last)
    if _FORECASTER in names:
        return "forecast"
    for name in names & _UNSERVABLE.keys():
        return NotServable(_UNSERVABLE[name])
    task = next((task for kinds, task in _TASKS if isinstance(last, kinds)), None)
    return task or NotServable("it predicts nothing; a model ends with an estimator that does")


def _class_names(step: object) -> set[str]:
    """Return the qualified names of a step's class and its base classes."""
    return {f"{one.__module__}.{one.__qualname__}" for one in type(step).__mro__}


def speaks_booleans(classifier: Any) -> bool:  # noqa: ANN401 - any of River's classes
    """Return whether a classifier's own labels are False and True, whatever its user calls them.

    Others learn labels of any kind. River says which is the case, but not for an ensemble that does
    not say it itself: that is as its members.
    """
    last = last_step(classifier)
    is_silent = type(last)._multiclass is base.Classifier._multiclass  # noqa: SLF001
    if is_silent and isinstance(last, base.Ensemble):
        return any(speaks_booleans(member) for member in last)
    multiclass = last._multiclass  # noqa: SLF001 - River has no public property
    # SuccessiveHalvingClassifier has a method instead of a property.
    return not (multiclass() if callable(multiclass) else multiclass)


def model_labels(model: Any, classes: Sequence[Scalar]) -> tuple[Scalar, ...]:  # noqa: ANN401
    """Return the model's own label for each class, in the order of the classes.

    A model that knows only False and True has the second of two classes as True, whatever their
    names, unless they are false and true themselves, or 0 and 1, in the other order.

    Raises:
        UnreadableArtifact: a model that knows only False and True has more or fewer classes.
    """
    classes = tuple(classes) or BOOLEANS
    if not speaks_booleans(model):
        return classes
    if len(classes) != len(BOOLEANS):
        known = f"{type(last_step(model)).__name__} knows only the labels False and True"
        raise UnreadableArtifact("river", f"{known}, but there are {len(classes)} classes")
    positions = [ClassLabels(BOOLEANS).index_of(one) for one in classes]
    return (True, False) if positions == [1, 0] else BOOLEANS


def known_labels(classifier: Any, rows: Sequence[RiverRow]) -> list[Scalar]:  # noqa: ANN401
    """Return the labels that a classifier knows, by asking it about rows; none before it learns.

    Raises:
        Exception: whatever the model raises about the rows.
    """
    last = last_step(classifier)
    kept = _LABELS_KEPT.get(type(last).__qualname__)
    if kept is not None:
        return ordered(getattr(last, kept))
    found: set[Any] = set()
    if isinstance(last, base.Ensemble) and not _overrides_probabilities(last):
        inner = rows if last is classifier else [classifier.transform_one(row) for row in rows]
        return ordered({label for member in last for label in known_labels(member, inner)})
    for row in rows:
        try:
            found.update(class_probabilities(classifier, row))
        except NotImplementedError:
            found.add(classifier.predict_one(row))
    return ordered(found - {None})


def has_probabilities(classifier: Any, row: RiverRow) -> bool:  # noqa: ANN401 - River's classes
    """Return whether a classifier predicts probabilities."""
    if not _overrides_probabilities(last_step(classifier)):
        return False
    try:
        class_probabilities(classifier, row)
    except NotImplementedError:
        return False
    return True


def _overrides_probabilities(step: Any) -> bool:  # noqa: ANN401 - any of River's classes
    return type(step).predict_proba_one is not base.Classifier.predict_proba_one


def class_probabilities(classifier: Any, row: RiverRow) -> Mapping[Any, float]:  # noqa: ANN401
    """Return the probabilities that a classifier predicts, by its own labels."""
    predicted = classifier.predict_proba_one(row)
    # An active learner also says whether it wants a label.
    return predicted[0] if isinstance(predicted, tuple) else predicted  # type: ignore[no-any-return]


def without_active_learning(model: Any) -> Any:  # noqa: ANN401 - any of River's classes
    """Return a model whose active learner, if it ends with one, is replaced by its classifier.

    An active learner draws random numbers when it predicts, to decide whether it wants a label; its
    predictions are those of its classifier.
    """
    last = last_step(model)
    if _ACTIVE_LEARNER not in _class_names(last):
        return model
    if last is model:
        return last.classifier
    *before, _ = model.steps.items()
    return Pipeline(*before, without_active_learning(list(model.steps.values())[-1]))


def takes_text(model: Any) -> bool:  # noqa: ANN401 - any of River's classes
    """Return whether a model takes a text instead of features by name."""
    return any(map(_is_tagged_as_text, _first_steps(model)))


def _is_tagged_as_text(step: Any) -> bool:  # noqa: ANN401 - any of River's classes
    """Return whether a class of a step says that it takes a text.

    River's own property `_tags` fails for a vectorizer of a named feature.
    """
    tags = (vars(one).get("_more_tags", lambda _: ()) for one in type(step).__mro__)
    return any(base.tags.TEXT_INPUT in more(step) for more in tags)


def _first_steps(model: Any) -> Iterator[Any]:  # noqa: ANN401 - any of River's classes
    if type(model) is Pipeline:
        yield from _first_steps(next(iter(model.steps.values()), None))
    elif type(model) is TransformerUnion:
        for part in model.transformers.values():
            yield from _first_steps(part)
    elif isinstance(model, base.Estimator):
        yield model


def ordered(labels: Iterable[Any]) -> list[Any]:
    """Return values as Python's own: bools, numbers and texts, each in their order, then others."""
    return sorted(map(plain_value, labels), key=_rank)


def _rank(value: object) -> tuple[int, Any]:
    kinds = (bool, int | float, str)
    kind = next((at for at, types in enumerate(kinds) if isinstance(value, types)), len(kinds))
    return kind, value if kind < len(kinds) else repr(value)


def plain_value(value: Any) -> Any:  # noqa: ANN401 - any value that River predicts
    """Return a number or text of numpy as Python's own."""
    return value.item() if isinstance(value, np.generic) else value
