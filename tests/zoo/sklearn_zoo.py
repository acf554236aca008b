"""Takes every model of `sklearn_models` from a fit to answers, and compares these."""

import json
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator

from modstream.models.errors import ModelError
from modstream.models.importers.imported_model import ImportedModel
from modstream.models.importers.sklearn import import_sklearn
from modstream.processors.predict.engine import Inference
from tests.zoo.engine import Serve, Served, load_imported, row_requests
from tests.zoo.results import ZooResult
from tests.zoo.sklearn_models import ZooModel, estimators, pipelines

NUMBERS = frozenset({"age", "income", "rooms", "n"})
"""The columns of numbers of the zoo's tables that have names."""
TOLERANCE = 1e-4
"""Largest difference from the library's own numbers, absolute and relative."""


def results(
    models: Iterable[ZooModel] | None = None, serve: Serve = load_imported
) -> list[ZooResult]:
    """Return what became of each model: by default of the whole zoo, in this process."""
    found = models if models is not None else chain(estimators(), pipelines())
    return [result_of(model, serve) for model in found]


def result_of(entry: ZooModel, serve: Serve = load_imported) -> ZooResult:
    """Return what became of one model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = entry.fit()
        try:
            imported = import_sklearn("zoo", model)
        except ModelError as error:
            return ZooResult("sklearn", entry.name, "refused", None, str(error))
        try:
            served = serve(imported)
        except ModelError as error:
            # The import promised that it can be served.
            return ZooResult("sklearn", entry.name, "not serving", None, str(error))
        return compare(entry, model, imported, served)


def compare(
    entry: ZooModel, model: BaseEstimator, imported: ImportedModel, served: Served
) -> ZooResult:
    """Return how the answers to rows, many and then some alone, differ from the library's."""
    rows = json.loads(json.dumps(entry.rows))
    responses = served.ask(row_requests(rows))
    responses += [response for row in rows[:3] for response in served.ask(row_requests([row]))]
    differences = []
    for row, response in zip([*rows, *rows[:3]], responses, strict=True):
        wanted = expected_outputs(model, row, imported, is_text=entry.is_text)
        if not isinstance(response, Inference):
            if wanted is not None:
                sentence = f"{row} was refused ({response.reason}), the library answers {wanted}"
                return ZooResult("sklearn", entry.name, "wrong", None, sentence)
            continue
        differences.append(difference_of(response.outputs, wanted))
        if differences[-1] > TOLERANCE:
            sentence = f"{row}: {response.outputs}, the library answers {wanted}"
            return ZooResult("sklearn", entry.name, "wrong", differences[-1], sentence)
    if not differences:
        return ZooResult("sklearn", entry.name, "not serving", None, str(responses[0]))
    spec = imported.spec
    form = f"{spec.runtime} {spec.task} {spec.scores}"
    return ZooResult("sklearn", entry.name, "served", max(differences), form)


def library_inputs(model: BaseEstimator, row: Mapping[str, Any], *, is_text: bool) -> Any:
    """Return one row as a user of the library writes it."""
    if is_text:
        return [row["text"]]
    if hasattr(model, "feature_names_in_"):
        frame = pd.DataFrame([row])[list(model.feature_names_in_)]
        for name in frame:
            if row[name] is None:
                # A column without a value has no type that shows what it would hold.
                is_number = name in NUMBERS
                frame[name] = pd.Series([np.nan], dtype=np.float64 if is_number else object)
        return frame
    values = list(row.values())
    if any(isinstance(value, str) for value in values):
        return np.array([values], dtype=object)
    return np.array([values], dtype=np.float64)


def expected_outputs(
    model: BaseEstimator, row: Mapping[str, Any], imported: ImportedModel, *, is_text: bool
) -> dict[str, Any] | None:
    """Return the library's own outputs for a row by name; None if it has none."""
    inputs = library_inputs(model, row, is_text=is_text)
    try:
        found = dict(_outputs(model, inputs, imported))
    except Exception:  # noqa: BLE001 - an estimator may raise anything
        return None
    numbers = [one for one in _leaves(found) if isinstance(one, float)]
    return found if all(map(math.isfinite, numbers)) else None


def _outputs(
    model: BaseEstimator, inputs: Any, imported: ImportedModel
) -> Iterator[tuple[str, Any]]:
    task, scores = imported.spec.task, imported.spec.scores
    if task == "binary" and scores == "probability":
        yield "probability", float(model.predict_proba(inputs)[0][1])
    elif task in {"binary", "multiclass", "clustering"}:
        yield "label", _scalar(model.predict(inputs)[0])
        is_cluster = task == "clustering"
        names = range(len(imported.spec.classes)) if is_cluster else model.classes_.tolist()
        yield from _scores(model, inputs, scores, names)
    elif task == "anomaly":
        method = "decision_function" if hasattr(model, "decision_function") else "score_samples"
        yield "score", -float(getattr(model, method)(inputs)[0])
    elif task == "transformation":
        values = model.transform(inputs)
        values = values.toarray() if sparse.issparse(values) else np.asarray(values)
        yield "features", dict(enumerate(map(_scalar, values.reshape(1, -1)[0])))
    else:
        found = np.atleast_1d(np.asarray(model.predict(inputs))[0]).tolist()
        by_target = {f"y{at}": value for at, value in enumerate(found)}
        name = {"regression": "value", "multioutput_regression": "values"}.get(task, "labels")
        yield name, found[0] if task == "regression" else by_target


def _scores(
    model: BaseEstimator, inputs: Any, scores: str, names: Sequence[Any]
) -> Iterator[tuple[str, Any]]:
    if scores == "probability":
        yield "probabilities", _named(names, model.predict_proba(inputs)[0])
    elif scores == "distance":
        yield "distances", _named(names, model.transform(inputs)[0])
    elif scores == "margin" and len(names) == 2:
        yield "margin", float(model.decision_function(inputs).ravel()[0])
    elif scores == "margin":
        yield "margins", _named(names, model.decision_function(inputs)[0])


def _named(names: Sequence[Any], values: Any) -> dict[str, float]:
    return {str(name): float(value) for name, value in zip(names, values, strict=True)}


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def difference_of(found: Any, wanted: Mapping[str, Any] | None) -> float:
    """Return the largest relative difference of numbers; infinite if anything else differs."""
    if wanted is None or not isinstance(found, dict) or found.keys() != wanted.keys():
        return math.inf
    if "features" in found:
        wanted = {
            "features": dict(zip(found["features"], wanted["features"].values(), strict=True))
        }
    elif _names(found) != _names(wanted):
        return math.inf
    return max(map(_difference, _leaves(found), _leaves(wanted)))


def _names(outputs: Mapping[str, Any]) -> list[list[str]]:
    return [list(one) for one in outputs.values() if isinstance(one, dict)]


def _difference(left: Any, right: Any) -> float:
    if left == right and isinstance(left, str | bool) == isinstance(right, str | bool):
        return 0.0
    if isinstance(left, float) and isinstance(right, float):
        return abs(left - right) / (1 + abs(right))
    return math.inf


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [leaf for one in value.values() for leaf in _leaves(one)]
    return [value]
