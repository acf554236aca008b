"""Parts that River's models are made of: statistics, optimizers, losses, metrics, detectors, ..."""

import importlib
import inspect
import io
import math
import pickle
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from river import (
    bandit,
    compose,
    drift,
    ensemble,
    feature_extraction,
    linear_model,
    metrics,
    neighbors,
    optim,
    preprocessing,
    proba,
    rules,
    stats,
    tree,
    utils,
)
from river.base import Base

from modstream.models.runtimes.river.pickle_values import REDUCERS

_MODULES: tuple[ModuleType, ...] = (
    *(bandit, drift, drift.binary, metrics, neighbors, proba, stats, tree.splitter),
    *(optim, optim.initializers, optim.losses, optim.schedulers),
)
_FAMILIES = (
    *("river.tree.nodes", "river.tree.splitter", "river.tree.split_criterion", "river.rules"),
    *("river.tree.mondrian", "river.neighbors", "river.cluster", "river.anomaly"),
)
"""Packages whose classes a model may contain only at times, such as the nodes of trees."""
_SINGLE_MODULES = ("river.tree.utils", "river.tree.padded", "river.utils.sorted_window")
NEVER_STORED = re.compile(
    r"^(sklearn\.|numpy:|builtins:len|river\.(reco|compat|compose\.func|preprocessing\.lda)\b"
    r"|river\.cluster\.odac|river\.anomaly\.(gaussian|sad|pad):)"
)
"""Globals of models that are refused: they cannot be served, or contain functions that could do
harm."""
_TRANSFORMS = ((math.exp, math.log), (math.expm1, math.log1p), (math.sqrt, math.exp))


class RecordingUnpickler(pickle.Unpickler):
    """An unpickler that records the globals a pickle refers to."""

    def __init__(self, pickled: bytes) -> None:
        super().__init__(io.BytesIO(pickled))
        self.names: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.names.add(f"{module}:{name}")
        return super().find_class(module, name)


def globals_of(model: object) -> set[str]:
    """Return the globals that the artifact of a model refers to."""
    file = io.BytesIO()
    pickler = pickle.Pickler(file, protocol=5)
    pickler.dispatch_table = REDUCERS
    pickler.dump(model)
    unpickler = RecordingUnpickler(file.getvalue())
    unpickler.load()
    return unpickler.names


def parts() -> Iterator[object]:
    """Yield one object of each class that a model may contain, and models with rarer parts."""
    for module in _MODULES:
        for _, found in inspect.getmembers(module, inspect.isclass):
            if issubclass(found, Base) and not inspect.isabstract(found):
                yield from _instances(found)
    yield from _models_with_rare_parts()


def classes_of_families() -> set[str]:
    """Return the globals of classes that models may contain only at times."""
    modules = [importlib.import_module(name) for name in (*_FAMILIES, *_SINGLE_MODULES)]
    for package in modules[: len(_FAMILIES)]:
        modules += [
            importlib.import_module(f"{package.__name__}.{found.name}")
            for found in pkgutil.iter_modules(package.__path__)
        ]
    return {
        f"{module.__name__}:{found.__qualname__}"
        for module in modules
        for _, found in inspect.getmembers(module, inspect.isclass)
        if found.__module__ == module.__name__ and not inspect.isabstract(found)
    }


def _instances(found: Any) -> Iterator[object]:
    try:
        parameters = next(iter(found._unit_test_params()), {})
    except AttributeError:
        parameters = {}
    try:
        yield found(**parameters)
    except TypeError:  # it needs parameters; the models with rare parts have some of them
        return


def _models_with_rare_parts() -> Iterator[object]:
    yield utils.Rolling(stats.Mean, window_size=5)
    yield optim.Averager(optim.SGD())
    yield optim.schedulers.InverseScaling(0.1)
    yield optim.schedulers.Optimal(optim.losses.Log())
    yield preprocessing.StatImputer(("a", stats.Mean()), ("b", stats.Mode()), ("c", "none"))
    yield compose.SelectType(str, bool, float, int)
    yield neighbors.KNNClassifier(engine=neighbors.LazySearch(dist_func=None))
    for criterion in ("gini", "hellinger", "info_gain"):
        yield tree.HoeffdingTreeClassifier(split_criterion=criterion)
    yield rules.AMRules(pred_type="model")
    for method in ("bag", "me", "half", "wt", "subag"):
        model = linear_model.LogisticRegression()
        yield ensemble.LeveragingBaggingClassifier(model, bagging_method=method)
    yield feature_extraction.TFIDF(on="text", ngram_range=(1, 2), stop_words={"a"})
    yield feature_extraction.BagOfWords(on="text", strip_accents=False, lowercase=False)
    for inverse, transform in _TRANSFORMS:
        model = linear_model.LinearRegression()
        yield compose.TargetTransformRegressor(model, transform, inverse)
    for mode in (0, 1, 2):
        yield linear_model.PAClassifier(mode=mode)
        yield linear_model.PARegressor(mode=mode)
