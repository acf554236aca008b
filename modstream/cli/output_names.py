"""The outputs of a model by name, and what they mean, for people."""

import json
from collections.abc import Callable, Iterable, Mapping

from modstream.models.schema.card import ModelCard, Task

MAX_CLASSES = 6
MAX_CHARACTERS = 40

KIND_NAMES = {"FP64": "a number", "INT64": "an integer", "BOOL": "true or false", "BYTES": "a text"}
"""What the outputs of a pipeline are, by the datatypes on its card."""

Outputs = list[tuple[str, str]]
"""Pairs of an output's name and its meaning."""


def describe_outputs(card: ModelCard) -> Outputs:
    """Return each output's name and what it means."""
    if card.output_form == "pipeline":
        return [(one.name, KIND_NAMES[one.datatype]) for one in card.output_tensors]
    return _BY_TASK[card.task](card)


def format_shape(shape: tuple[int | None, ...]) -> str:
    """Return the shape of a tensor as text; a dimension of None has any length."""
    return f"[{', '.join('any' if length is None else str(length) for length in shape)}]"


def _binary(card: ModelCard) -> Outputs:
    negative, positive = map(_word, card.classes or (False, True))
    if card.scores == "probability":
        return [("probability", f"that the class is {positive}, and not {negative}")]
    if card.scores == "none":
        return [_label(card)]
    return [_label(card), ("margin", f"above 0 means {positive}; a score, not a probability")]


def _multiclass(card: ModelCard) -> Outputs:
    if card.scores == "probability":
        return [_label(card), ("probabilities", "of each class; they add up to 1")]
    if card.scores == "none":
        return [_label(card)]
    return [_label(card), ("margins", "of each class; the highest decides; not probabilities")]


def _forecast(card: ModelCard) -> Outputs:
    return [
        ("forecast", f"the values of the next periods, at most {card.max_horizon}"),
        ("period", "the number of the first of them"),
    ]


def _clustering(card: ModelCard) -> Outputs:
    label = ("label", "the cluster")
    if card.scores == "distance":
        return [label, ("distances", "from each cluster; the nearest decides")]
    if card.scores == "probability":
        return [label, ("probabilities", "of each cluster; they add up to 1")]
    return [label]


def _targets(name: str, what: str) -> Callable[[ModelCard], Outputs]:
    return lambda card: [(name, f"{what} for each of {_enumerate(t.name for t in card.targets)}")]


def _tensors(card: ModelCard) -> Outputs:
    return [
        (spec.name, f"{spec.datatype} {format_shape(spec.shape)}") for spec in card.output_tensors
    ]


_BY_TASK: Mapping[Task, Callable[[ModelCard], Outputs]] = {
    "binary": _binary,
    "multiclass": _multiclass,
    "regression": lambda _: [("value", "the predicted number")],
    "anomaly": lambda _: [("score", "higher is more anomalous")],
    "forecast": _forecast,
    "multioutput_regression": _targets("values", "a number"),
    "multioutput_classification": _targets("labels", "a class"),
    "clustering": _clustering,
    "transformation": lambda _: [("features", "the transformed features by name")],
    "tensors": _tensors,
    "pipeline": lambda _: [("outputs", "as the pipeline defines them")],
}


def _label(card: ModelCard) -> tuple[str, str]:
    return "label", f"the predicted class, one of {_enumerate(card.classes or (False, True))}"


def _enumerate(values: Iterable[object]) -> str:
    words = [_word(value) for value in values]
    more = len(words) - MAX_CLASSES
    shown = ", ".join(words[:MAX_CLASSES])
    return f"{shown} and {more:,} more" if more > 0 else shown


def _word(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}…"
