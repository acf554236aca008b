"""River's own answers, and their differences from those of a served model."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from river import base
from river.time_series.base import Forecaster

from modstream.models.schema.columns import Scalar
from modstream.processors.errors import NoOutput
from modstream.processors.predict.engine import Inference, InferenceResponse, Rejection
from tests.zoo.engine import LoadedModel, ask, row_requests
from tests.zoo.river_models import Row, copy_of, river_input

Labels = dict[Any, Scalar]
"""The card's classes by the labels that River's model has for them, in order."""
_TOLERANCE = 1e-9


class Wrong(Exception):
    """An answer differs from River's, or there is none where River has one."""

    def __init__(self, outcome: Any, sentence: str) -> None:
        super().__init__(sentence)
        self.outcome = outcome


def compare_answers(
    labels: Labels, twin: Any, loaded: LoadedModel, asked: Sequence[Row], learned: int
) -> float:
    """Return the largest difference between the answers and River's.

    Raises:
        Wrong: an answer differs by more than the tolerance, or there is none.
    """
    largest = 0.0
    for row, response in zip(asked, ask(loaded, row_requests(asked)), strict=True):
        expected = expected_outputs(labels, copy_of(twin), row, learned)
        largest = max(largest, _difference(expected, response))
    return largest


def _difference(expected: dict[str, Any] | None, response: InferenceResponse) -> float:
    if isinstance(response, Rejection):
        if expected is None and isinstance(response.reason, NoOutput):
            return 0.0
        raise Wrong("not serving", f"{response.reason}, River has {expected}")
    if expected is None:
        raise Wrong("wrong", f"{response.outputs}, River has no prediction")
    return _outputs_difference(expected, response)


def _outputs_difference(expected: dict[str, Any], response: Inference) -> float:
    found: Any = response.outputs
    if not _is_same_shape(expected, found):
        raise Wrong("wrong", f"{found}, River has {expected}")
    pairs = zip(_leaves(expected), _leaves(found), strict=True)
    difference = max((_leaf_difference(*pair) for pair in pairs), default=0.0)
    if difference > _TOLERANCE:
        raise Wrong("wrong", f"{found}, River has {expected}")
    return difference


def _is_same_shape(expected: Any, found: Any) -> bool:
    if isinstance(expected, dict) and isinstance(found, dict):
        return expected.keys() == found.keys() and all(
            _is_same_shape(expected[key], found[key]) for key in expected
        )
    return type(expected) is type(found)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key in sorted(value):
            yield from _leaves(value[key])
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    else:
        yield value


def _leaf_difference(expected: Any, found: Any) -> float:
    if isinstance(expected, float) and isinstance(found, float):
        return 0.0 if expected == found else abs(expected - found) / max(1.0, abs(expected))
    return 0.0 if expected == found else math.inf


def expected_outputs(labels: Labels, model: Any, row: Row, learned: int) -> dict[str, Any] | None:
    """Return what River predicts for a row, in the words of the responses; None for nothing."""
    found = _expected(labels, model, row, learned)
    leaves = list(_leaves(found))
    finite = all(not isinstance(one, float) or math.isfinite(one) for one in leaves)
    is_known = all(one is not None for one in leaves) or "features" in (found or {})
    return found if finite and is_known and found is not None else None


def _expected(labels: Labels, model: Any, row: Row, learned: int) -> dict[str, Any] | None:
    if isinstance(model, Forecaster):
        return _expected_forecast(model, int(row["period"]), learned)
    x = river_input(row)
    if isinstance(model, base.Classifier):
        return _expected_class(labels, model, x)
    predict = next(predict for kinds, predict in _PREDICTED.items() if isinstance(model, kinds))
    found: dict[str, Any] | None = predict(model, x)
    return found


def _expected_forecast(model: Any, period: int, learned: int) -> dict[str, Any] | None:
    steps = period - learned + 1 if learned else 1
    try:
        return {"forecast": [float(model.forecast(steps)[-1])], "period": period}
    except (IndexError, ValueError):  # some forecasters fail before they have learned a season
        return None


def _expected_value(model: Any, x: Any) -> dict[str, Any] | None:
    value = model.predict_one(x)
    return None if value is None else {"value": float(value)}


def _expected_features(model: Any, x: Any) -> dict[str, Any]:
    return {"features": {_name(key): _plain(one) for key, one in model.transform_one(x).items()}}


def _expected_cluster(model: Any, x: Any) -> dict[str, Any] | None:
    try:
        return {"label": model.predict_one(x)}
    except ValueError:  # STREAMKMeans has no centers yet
        return None


def _expected_class(labels: Labels, model: Any, x: Any) -> dict[str, Any]:
    by_own, own_labels = labels, list(labels)
    try:
        probabilities = model.predict_proba_one(x)
    except NotImplementedError:
        label = model.predict_one(x)
        return {"label": None if label is None else by_own[label]}
    if isinstance(probabilities, tuple):
        probabilities = probabilities[0]
    even = dict.fromkeys(own_labels, 1 / len(own_labels))
    own = {label: float((probabilities or even).get(label, 0.0)) for label in own_labels}
    if len(own) == 2:
        return {"probability": own[own_labels[1]]}
    named = {by_own[label]: probability for label, probability in own.items()}
    return {"label": max(named, key=named.__getitem__), "probabilities": named}


_PREDICTED: dict[Any, Callable[[Any, Any], Any]] = {
    (base.AnomalyDetector, base.AnomalyFilter): lambda model, x: {
        "score": float(model.score_one(x))
    },
    base.MultiTargetRegressor: lambda model, x: {
        "values": {key: float(value) for key, value in model.predict_one(x).items()}
    },
    base.MultiLabelClassifier: lambda model, x: {
        "labels": {key: bool(value) for key, value in model.predict_one(x).items()}
    },
    base.Clusterer: _expected_cluster,
    base.Regressor: _expected_value,
    (base.Transformer, base.SupervisedTransformer): _expected_features,
}
"""What River predicts for a row, in the words of the responses, by the first kind that fits."""


def _name(key: Any) -> str:
    return "_".join(map(str, key)) if isinstance(key, tuple) else str(key)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
