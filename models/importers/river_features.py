"""The features that a trained River model has learned, read from what its steps keep of them."""

from collections.abc import Iterator, Mapping
from typing import Any

from river import base
from river.compose import Pipeline, Select, TransformerUnion

from modstream.models.runtimes.river.inspection import takes_text

_BY_FEATURE = (
    *("counts", "means", "min", "abs_max", "median", "values", "stats"),
    *("weights", "_weights", "w"),
)
"""Attributes of transformers and linear models that are mappings by the names of features."""
_BY_LABEL = {"SoftmaxRegression": "weights", "GaussianNB": "gaussians"}
"""Attributes that are mappings by labels of mappings by the names of features, by class."""
_PACKAGES = ("river.preprocessing.", "river.linear_model.")
"""Packages whose classes have them; elsewhere the same names mean something else."""
_BIAS = "__bias__"
"""The name under which AdPredictor keeps its intercept."""
_SCALERS = "river.preprocessing.scale"
"""The module whose transformers keep the names of features."""


def learned_features(model: Any) -> set[object]:  # noqa: ANN401 - any of River's classes
    """Return the names of the features that a model has learned, or that it selects by name.

    Empty if it has learned nothing, or does not keep the names.
    """
    return set() if takes_text(model) else set(_learned(model)) - {_BIAS}


def _learned(step: Any) -> Iterator[object]:  # noqa: ANN401 - any of River's classes
    if type(step) is Pipeline:
        for part in step.steps.values():
            yield from _learned(part)
            if type(part).__module__ != _SCALERS:
                return  # What follows learns other features.
    elif type(step) is TransformerUnion:
        for part in step.transformers.values():
            yield from _learned(part)
    elif type(step) is Select:
        yield from (key for key in step.keys if isinstance(key, str))
    elif isinstance(step, base.Estimator):
        yield from _kept(step)


def _kept(step: base.Estimator) -> Iterator[object]:
    """Yield the names that one step, or a member of it, keeps."""
    by_label = _BY_LABEL.get(type(step).__name__, "")
    for one in (vars(step).get(by_label) or {}).values():
        yield from one
    if type(step).__module__.startswith(_PACKAGES):
        for name in set(_BY_FEATURE) - {by_label}:
            kept = vars(step).get(name)
            yield from kept if hasattr(kept, "keys") else ()
    members = list(step) if isinstance(step, base.Ensemble) else []
    members += [*(vars(step).get("classifiers") or {}).values()] if _has_classifiers(step) else []
    for member in members:
        yield from _learned(member)


def _has_classifiers(step: base.Estimator) -> bool:
    return isinstance(vars(step).get("classifiers"), Mapping)
