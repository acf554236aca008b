"""What a fitted scikit-learn model's outputs mean: read from the model, or as the caller says."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier, is_outlier_detector, is_regressor
from sklearn.model_selection._classification_threshold import BaseThresholdClassifier
from sklearn.utils import get_tags

from modstream.models.errors import NotConvertible, OptionNotSupported
from modstream.models.importers.description import ModelDescription
from modstream.models.runtimes.sklearn_introspection import (
    ModelInputs,
    as_classes,
    infer_classes,
    infer_task,
    quiet,
)
from modstream.models.runtimes.sklearn_outputs import OutputSpec, dense
from modstream.models.runtimes.sklearn_structure import last_step
from modstream.models.schema.card import ScoreKind, Target, Task
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Feature, InputSchema

_TIE = 1e-9
"""Distance of two probabilities below which either class may be the label."""
_CLUSTERER_TYPES = frozenset({"clusterer", "density_estimator"})
_METHOD_OF_SCORES: Mapping[ScoreKind, str] = MappingProxyType(
    {"probability": "predict_proba", "margin": "decision_function", "distance": "transform"}
)


def find_method(model: BaseEstimator) -> str:
    """Return the method that predicts rows: of a transformer `transform`, else `predict`.

    Raises:
        NotConvertible: the model has none that takes new rows.
    """
    for method in ("predict", "transform", "score_samples"):
        if hasattr(model, method):
            return method
    kind = type(last_step(model)).__name__
    if hasattr(model, "fit_predict") and is_outlier_detector(model):
        reason = "it labels only the rows that it was fitted on; fit it with novelty=True"
    elif hasattr(model, "fit_predict"):
        reason = (
            "it labels only the rows that it was fitted on; use a clusterer with a predict method,"
            " such as KMeans"
        )
    else:
        reason = (
            "it has no method that takes new rows (predict, transform or score_samples): publish an"
            " estimator that has one"
        )
    raise NotConvertible(kind, reason)


def read_outputs(
    model: BaseEstimator, inputs: ModelInputs, description: ModelDescription
) -> OutputSpec:
    """Return what a model's outputs mean; `inputs` are rows that it can predict, at least one.

    Raises:
        OptionNotSupported: the description asks for something that the model does not have.
        NotConvertible: the outputs have no form that can be served.
    """
    with quiet():
        task = _task(model, inputs, description.task)
        if task in {"binary", "multiclass"}:
            return _classification(model, inputs, task, description)
        if task == "clustering":
            spec = _clustering(model, inputs, description)
        else:
            if description.scores is not None:
                raise OptionNotSupported("--scores", f"the model's task is {task}")
            spec = OutputSpec(task, "probability", (), _targets(model, inputs, task))
    if description.classes:
        raise OptionNotSupported("--class", f"the model's task is {task}, without classes")
    return spec


def _task(model: BaseEstimator, inputs: ModelInputs, asked: Task | None) -> Task:
    own = _own_task(model, inputs)
    if asked is None or asked == own:
        return own
    if asked == "transformation" and hasattr(model, "transform"):
        return asked
    if asked == "anomaly" and hasattr(model, "score_samples") and not is_classifier(model):
        return asked
    raise OptionNotSupported("--task", f"a {type(last_step(model)).__name__} is a model for {own}")


def _own_task(model: BaseEstimator, inputs: ModelInputs) -> Task:
    if is_classifier(model) or is_regressor(model):
        width = _output_width(model, inputs)
        if is_regressor(model):
            return "regression" if width in {None, 1} else "multioutput_regression"
        return infer_task(model) if width is None else "multioutput_classification"
    if is_outlier_detector(model) and hasattr(model, "decision_function"):
        return "anomaly"
    kind = get_tags(model).estimator_type
    if hasattr(model, "predict") and kind in _CLUSTERER_TYPES:
        return "clustering"
    if hasattr(model, "transform"):
        return "transformation"
    if hasattr(model, "score_samples"):
        return "anomaly"
    reason = "scikit-learn's tags do not say whether it is a classifier, regressor or clusterer"
    raise NotConvertible(type(last_step(model)).__name__, reason)


def _output_width(model: BaseEstimator, inputs: ModelInputs) -> int | None:
    """Return the number of a model's targets; None if it predicts an array of one dimension."""
    predicted = model.predict(inputs)
    if is_classifier(model) and isinstance(getattr(model, "classes_", None), list):
        return len(model.classes_)
    return int(predicted.shape[1]) if predicted.ndim == 2 else None


def _targets(model: BaseEstimator, inputs: ModelInputs, task: Task) -> tuple[Target, ...]:
    """Return the targets of a multioutput model; others have none."""
    if not task.startswith("multioutput"):
        return ()
    width = _output_width(model, inputs) or 1
    if task == "multioutput_regression":
        return tuple(Target(name=f"y{at}") for at in range(width))
    classes = getattr(model, "classes_", None)
    if not isinstance(classes, list):
        # A matrix of zeros and ones: of each label, whether the row has it.
        return tuple(Target(name=f"y{at}", classes=(0, 1)) for at in range(width))
    return tuple(
        Target(name=f"y{at}", classes=as_classes(model, np.asarray(one)))
        for at, one in enumerate(classes)
    )


def _classification(
    model: BaseEstimator, inputs: ModelInputs, task: Task, description: ModelDescription
) -> OutputSpec:
    own = infer_classes(model)
    classes = renamed_classes(own, description.classes)
    possible = _possible_scores(model, inputs, own)
    asked = description.scores
    if asked is not None and asked in possible:
        return OutputSpec(task, asked, classes, ())
    if asked is not None:
        raise OptionNotSupported("--scores", _why_not(model, asked))
    if isinstance(last_step(model), BaseThresholdClassifier):
        # It was made to decide otherwise than by the more probable class.
        return OutputSpec(task, "none", classes, ())
    return OutputSpec(task, possible[0], classes, ())


def renamed_classes(own: tuple[Scalar, ...], described: tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    """Return the described classes as new names of the model's own, in their order.

    Raises:
        OptionNotSupported: their number differs, or they are the model's own in another order.
    """
    if not described or described == own:
        return own
    known = ", ".join(map(str, own))
    if len(described) != len(own):
        raise OptionNotSupported("--class", f"the model has {len(own)} classes: {known}")
    same = {str(one) for one in own} & {str(one) for one in described}
    in_order = all(str(a) == str(b) for a, b in zip(own, described, strict=True))
    if same and not in_order:
        raise OptionNotSupported("--class", f"the model's own classes are in the order {known}")
    if len(set(map(str, described))) < len(described):
        raise OptionNotSupported("--class", "two classes have the same name")
    return described


def renamed_features(
    own: InputSchema, unused: Collection[str], described: tuple[Feature, ...]
) -> InputSchema:
    """Return the described features as descriptions of the model's own.

    They are found by the model's own names, of which those that the model does not use are left
    out; other names are new ones, in the order of the model's features.

    Raises:
        OptionNotSupported: their number differs, or only some have the model's own names.
    """
    by_name = {feature.name: feature for feature in described}
    if len(by_name) < len(described):
        raise OptionNotSupported("--feature", "two features have the same name")
    if set(own.names) <= by_name.keys() <= {*own.names, *unused}:
        return InputSchema(features=tuple(by_name[name] for name in own.names))
    known = ", ".join(own.names)
    if len(described) != len(own.features) or by_name.keys() & set(own.names):
        raise OptionNotSupported("--feature", f"the model has {len(own.features)}: {known}")
    return InputSchema(features=described)


def _possible_scores(
    model: BaseEstimator, inputs: ModelInputs, classes: tuple[Scalar, ...]
) -> list[ScoreKind]:
    """Return the kinds of scores that a classifier has, the best first; "none" is the last."""
    found: list[ScoreKind] = []
    if _probabilities_decide(model, inputs, classes):
        found.append("probability")
    if _has_margins(model, inputs, len(classes)):
        found.append("margin")
    return [*found, "none"]


def _probabilities_decide(
    model: BaseEstimator, inputs: ModelInputs, classes: tuple[Scalar, ...]
) -> bool:
    """Return whether a model has probabilities, and of several classes the greatest is its label.

    A binary model answers with the probability alone, which no label contradicts.
    """
    if not hasattr(model, "predict_proba"):
        return False
    try:
        found = np.asarray(model.predict_proba(inputs), dtype=np.float64)
    except (AttributeError, NotImplementedError):
        return False
    if found.shape != (len(inputs), len(classes)):
        return False
    if len(classes) <= 2:
        return True
    ordered = np.sort(found, axis=1)
    decided = ordered[:, -1] - ordered[:, -2] > _TIE
    labels = np.asarray(model.predict(inputs))
    most_probable = np.asarray(model.classes_)[found.argmax(axis=1)]
    return bool((labels == most_probable)[decided].all())


def _has_margins(model: BaseEstimator, inputs: ModelInputs, count: int) -> bool:
    """Return whether a model's decision function has one number per class, or one for two.

    That of a support vector machine with the shape "ovo" has one per pair of classes, of which
    three classes have as many.
    """
    if not hasattr(model, "decision_function"):
        return False
    last = last_step(model)
    if getattr(last, "decision_function_shape", "ovr") == "ovo" and count > 2:
        return False
    margins = np.asarray(model.decision_function(inputs))
    if count == 2:
        return margins.size == len(inputs)
    return margins.shape == (len(inputs), count)


def _why_not(model: BaseEstimator, asked: ScoreKind) -> str:
    kind = type(last_step(model)).__name__
    method = _METHOD_OF_SCORES[asked]
    if asked == "distance" or not hasattr(model, method):
        return f"a {kind} has no {method}" if asked != "distance" else f"a {kind} has no distances"
    if asked == "probability":
        return f"the label that a {kind} predicts is not always the most probable class"
    return f"the decision function of this {kind} does not have one number per class"


def _clustering(
    model: BaseEstimator, inputs: ModelInputs, description: ModelDescription
) -> OutputSpec:
    scores, count = _cluster_scores(model, inputs)
    if description.scores is not None and description.scores != scores:
        if description.scores != "none":
            reason = f"the numbers beside this model's labels: {scores}"
            raise OptionNotSupported("--scores", reason)
        scores, count = "none", 0
    return OutputSpec("clustering", scores, tuple(range(count)), ())


def _cluster_scores(model: BaseEstimator, inputs: ModelInputs) -> tuple[ScoreKind, int]:
    """Return what a clusterer's numbers mean, and how many clusters they are about."""
    labels = np.asarray(model.predict(inputs))
    if hasattr(model, "predict_proba"):
        found = np.asarray(model.predict_proba(inputs))
        if found.ndim == 2 and (found.argmax(axis=1) == labels).all():
            return "probability", found.shape[1]
    # A transformation is the distances from the centres only if the nearest centre is the label.
    if hasattr(last_step(model), "cluster_centers_") and hasattr(model, "transform"):
        found = dense(model.transform(inputs))
        centres = len(last_step(model).cluster_centers_)
        is_near: Any = found.shape == (len(inputs), centres) and found.argmin(axis=1) == labels
        if np.all(is_near) and found.min(initial=0.0) >= 0:
            return "distance", centres
    return "none", 0
