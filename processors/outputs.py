"""A runtime's numbers as the outputs of an answer, in the form in which the request came."""

from typing import Any

import numpy as np

from broker.contracts import Tensor
from models.card import ModelCard
from models.runtime import Outputs


def by_name(card: ModelCard, score: Any) -> dict[str, Any]:  # noqa: ANN401 - a float or k floats
    """One row's outputs.

    Binary: `probability` of the positive class. Multiclass: the most probable `label` and the
    `probabilities` of all classes, in the card's order. Regression: `value`.
    """
    if card.task == "binary":
        return {"probability": float(score)}
    if card.task == "regression":
        return {"value": float(score)}
    return {
        "label": card.classes[int(np.argmax(score))],
        "probabilities": dict(zip(map(str, card.classes), score.tolist(), strict=True)),
    }


def as_tensors(card: ModelCard, scores: Outputs) -> tuple[Tensor, ...]:
    """All rows' outputs, (n,) or (n, k), as Open Inference Protocol V2 tensors."""
    name = {"binary": "probability", "multiclass": "probabilities", "regression": "value"}
    numbers = Tensor(
        name=name[card.task],
        shape=scores.shape,
        datatype="FP64",
        data=scores.ravel().tolist(),
    )
    if card.task != "multiclass":
        return (numbers,)
    labels = [str(card.classes[index]) for index in scores.argmax(axis=1).tolist()]
    return (numbers, Tensor(name="label", shape=(len(labels),), datatype="BYTES", data=labels))
