"""Every estimator of River, with rows and labels of its kind."""

import importlib
import inspect
import math
import pickle
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import river.api
from river import (
    base,
    cluster,
    compose,
    feature_extraction,
    feature_selection,
    imblearn,
    linear_model,
    metrics,
    model_selection,
    preprocessing,
    stats,
    utils,
)
from river.reco.base import Ranker
from river.time_series.base import Forecaster

from modstream.models.runtimes.river.inspection import takes_text
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Feature

Row = dict[str, Scalar]
NUMBERS = tuple(Feature(name=name, kind="float") for name in "abc")
TEXT = (Feature(name="text", kind="string"),)
GROUPS = (*NUMBERS, Feature(name="g", kind="string"))
SERIES = (
    Feature(name="period", kind="int"),
    Feature(name="horizon", kind="int", low=1, high=3),
)
BALANCED = {False: 0.5, True: 0.5}
_WITH_GROUPS = (
    feature_extraction.Agg,
    feature_extraction.TargetAgg,
    preprocessing.OneHotEncoder,
    preprocessing.OrdinalEncoder,
)

_MADE_BY_HAND: dict[type, Callable[[], Any]] = {
    compose.FuncTransformer: partial(compose.FuncTransformer, len),
    compose.Grouper: lambda: compose.Grouper(
        compose.Select("a") | preprocessing.StandardScaler(), by="g"
    ),
    compose.Pipeline: lambda: preprocessing.StandardScaler() | linear_model.LinearRegression(),
    compose.Prefixer: partial(compose.Prefixer, "p_"),
    compose.Renamer: partial(compose.Renamer, {"a": "z"}),
    compose.Suffixer: partial(compose.Suffixer, "_s"),
    compose.Select: partial(compose.Select, "a", "b"),
    compose.SelectType: partial(compose.SelectType, float),
    compose.Discard: partial(compose.Discard, "a"),
    compose.TargetTransformRegressor: lambda: compose.TargetTransformRegressor(
        preprocessing.StandardScaler() | linear_model.LinearRegression(), math.log, math.exp
    ),
    compose.TransformerProduct: lambda: compose.Select("a") * compose.Select("b"),
    compose.TransformerUnion: lambda: compose.Select("a") + preprocessing.MinMaxScaler(),
    feature_extraction.Agg: lambda: feature_extraction.Agg(on="a", by="g", how=stats.Mean()),
    feature_extraction.TargetAgg: lambda: feature_extraction.TargetAgg(by="g", how=stats.Mean()),
    feature_selection.PoissonInclusion: lambda: feature_selection.PoissonInclusion(0.5, seed=1),
    imblearn.RandomOverSampler: lambda: imblearn.RandomOverSampler(
        linear_model.LogisticRegression(), BALANCED, seed=1
    ),
    imblearn.RandomUnderSampler: lambda: imblearn.RandomUnderSampler(
        linear_model.LogisticRegression(), BALANCED, seed=1
    ),
    imblearn.RandomSampler: lambda: imblearn.RandomSampler(
        linear_model.LogisticRegression(), BALANCED, seed=1
    ),
    preprocessing.TargetMinMaxScaler: lambda: preprocessing.TargetMinMaxScaler(
        linear_model.LinearRegression()
    ),
    preprocessing.TargetStandardScaler: lambda: preprocessing.TargetStandardScaler(
        linear_model.LinearRegression()
    ),
    model_selection.SuccessiveHalvingClassifier: lambda: (
        model_selection.SuccessiveHalvingClassifier(
            [linear_model.LogisticRegression(), linear_model.LogisticRegression(l2=0.1)],
            metric=metrics.Accuracy(),
            budget=100,
            seed=1,
        )
    ),
}
"""Estimators without parameters for tests, or with ones that select nothing."""
# TextClust's own parameters need a time for each row; STREAMKMeans takes the seed of its KMeans.
_MADE_BY_HAND |= {
    cluster.TextClust: lambda: (
        feature_extraction.BagOfWords() | cluster.TextClust(real_time_fading=False)
    ),
    cluster.STREAMKMeans: lambda: cluster.STREAMKMeans(chunk_size=10, n_clusters=3, seed=1),
}
_NOT_ESTIMATORS = frozenset({"bandit", "datasets", "evaluate", "metrics", "optim", "sketch"})


@dataclass(frozen=True)
class RiverCase:
    """An estimator with some parameters; `make` returns a new one."""

    name: str
    estimator: type
    make: Callable[[], Any]

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """The features of its rows."""
        model = self.make()
        if isinstance(model, Forecaster):
            return SERIES
        if takes_text(model):
            return TEXT
        is_grouped = isinstance(model, (*_WITH_GROUPS, compose.Grouper))
        return GROUPS if is_grouped else NUMBERS


def cases() -> Iterator[RiverCase]:
    """Yield each estimator with each of its parameters for tests."""
    for estimator in sorted(set(_estimators()), key=lambda one: (one.__module__, one.__name__)):
        by_hand = _MADE_BY_HAND.get(estimator)
        if by_hand is not None:
            yield RiverCase(estimator.__name__, estimator, by_hand)
            continue
        for number, parameters in enumerate(_parameters(estimator)):
            name = estimator.__name__ if not number else f"{estimator.__name__} ({number + 1})"
            yield RiverCase(name, estimator, partial(_make, estimator, number))
            del parameters


def _estimators() -> Iterator[type]:
    for module_name in river.api.__all__:
        if module_name in _NOT_ESTIMATORS:
            continue
        module = importlib.import_module(f"river.{module_name}")
        for _, found in inspect.getmembers(module, inspect.isclass):
            if (
                issubclass(found, base.Estimator)
                and found is not base.Estimator
                and not inspect.isabstract(found)
            ):
                yield found


def _parameters(estimator: Any) -> list[dict[str, Any]]:
    """Return an estimator's parameters for tests; none if it does not exist in this Python."""
    try:
        found = list(estimator._unit_test_params())
        for parameters in found:
            estimator(**parameters)
    except RuntimeError:  # ZstdClassifier needs Python 3.14
        return []
    return found


def _make(estimator: Any, number: int) -> Any:
    """Return a new estimator; a seed makes its copies and twins equal."""
    return seeded(estimator(**list(estimator._unit_test_params())[number]))


def seeded(model: Any) -> Any:
    """Return a model with a seed wherever it takes one."""
    return model.clone(_with_seeds(model._get_params())) if model._is_stochastic else model


def _with_seeds(parameters: Any) -> Any:
    if isinstance(parameters, tuple) and inspect.isclass(parameters[0]):
        return parameters[0], _with_seeds(parameters[1])
    if not isinstance(parameters, dict):
        return parameters
    return {
        name: 1 if name == "seed" and value is None else _with_seeds(value)
        for name, value in parameters.items()
    }


def copy_of(model: Any) -> Any:
    """Return an independent copy."""
    return pickle.loads(pickle.dumps(model))


def rows(case: RiverCase, count: int, seed: int = 0) -> list[Row]:
    """Return rows of a case's features."""
    generator = random.Random(seed)
    if case.features is SERIES:
        return [{"period": period, "horizon": 1} for period in range(count)]
    if case.features is TEXT:
        words = ("red", "green", "blue", "big", "small", "old", "new")
        return [{"text": " ".join(generator.choices(words, k=5))} for _ in range(count)]
    is_positive = base.tags.POSITIVE_INPUT in case.make()._tags
    return [_numbers(generator, case, is_positive=is_positive) for _ in range(count)]


def _numbers(generator: random.Random, case: RiverCase, *, is_positive: bool) -> Row:
    a, b = generator.gauss(0, 1), generator.gauss(0, 0.5)
    row: Row = {
        "a": abs(a) if is_positive else a,
        "b": abs(b) if is_positive else b,
        "c": float(generator.randrange(3)),
    }
    return row | {"g": generator.choice("pqr")} if case.features is GROUPS else row


def value_of(row: Row) -> float:
    """Return the number that a row's labels are made from."""
    if "period" in row:
        return 10 + math.sin(float(row["period"]))
    if "text" in row:
        return str(row["text"]).count("red") - 0.7
    return float(row["a"]) + float(row["b"]) + (row["c"] == 1) - 0.3


def river_input(row: Row) -> Any:
    """Return a row as River takes it."""
    return row["text"] if "text" in row else dict(row)


def learn(model: Any, row: Row, label: Any) -> None:
    """Let a model learn a row by River's own method for its kind."""
    if isinstance(model, Forecaster):
        model.learn_one(label)
    elif isinstance(model, Ranker):
        model.learn_one("user", "item", label)
    elif model._supervised:
        model.learn_one(river_input(row), label)
    else:
        model.learn_one(river_input(row))


def trained_at_stages(stages: Sequence[int] = (0, 1, 40, 300)) -> list[Any]:
    """Return each estimator after different numbers of rows, if it learns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some models diverge, and numpy warns of it
        return [model for case in cases() for model in _trained(case, stages)]


def _trained(case: RiverCase, stages: Sequence[int]) -> Iterator[Any]:
    model = case.make()
    yield copy_of(model)
    for at, row in enumerate(rows(case, max(stages)) if hasattr(model, "learn_one") else ()):
        learn(model, row, _label(model, row))
        if at + 1 in stages:
            yield copy_of(model)


def _label(model: Any, row: Row) -> Any:
    value = value_of(row)
    if isinstance(model, base.MultiTargetRegressor):
        return {"p": value, "q": -value}
    if isinstance(model, base.MultiLabelClassifier):
        return {"p": value > 0, "q": value > 1}
    return value > 0 if isinstance(model, base.Classifier) else abs(value) + 0.1


__all__ = ["RiverCase", "cases", "copy_of", "learn", "river_input", "rows", "utils", "value_of"]
