"""Whether a model without predictions only waits for its first labels.

Some models that learn online predict nothing before they have learned a row, or a row of each of
two classes. They may be published: rows that other models answer teach them. A model that would
still predict nothing after labels of all its classes is faulty.
"""

from collections.abc import Sequence
from itertools import cycle, islice
from typing import cast

import numpy as np

from modstream.models.errors import ArtifactTooLarge, LearnError, PredictError
from modstream.models.runtimes.runtime import AnyRuntime, Learning, usable_rows
from modstream.models.schema.card import PERIOD_FEATURE, ModelCard
from modstream.models.schema.class_labels import ClassLabels
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch

_ROUNDS = 10
"""How often each class is learned; clusterers need some rows before they have clusters."""
_PERIODS = 200
"""How many periods a forecaster learns: more than two seasons of most series."""


def awaits_labels(runtime: AnyRuntime, card: ModelCard, batch: Batch) -> bool:
    """Return whether a model predicts rows after it has learned them; see `first_labels_fail`."""
    return not first_labels_fail(runtime, card, batch)


def first_labels_fail(runtime: AnyRuntime, card: ModelCard, batch: Batch) -> str:
    """Return why a copy of a model does not predict rows after it has learned them, or "".

    Call it for rows that the model does not predict.
    """
    if not (hasattr(runtime, "learn") and hasattr(runtime, "copy")):
        return "it has no finite prediction for a sample row"
    try:
        copy = cast(Learning, runtime).copy()
        if card.task == "forecast":
            batch = _learn_series(copy, batch)
        else:
            labels = first_labels(card, batch.size)
            copy.learn(batch.take([at % batch.size for at in range(len(labels))]), labels)
        if usable_rows(cast(AnyRuntime, copy), card, batch).any():
            return ""
    except (LearnError, PredictError, ArtifactTooLarge) as error:
        return str(error)
    return "it has no finite prediction for a sample row, nor after it has learned it"


def first_labels(card: ModelCard, rows: int) -> list[Scalar]:
    """Return labels that a model may learn: each class in turn, or numbers; at least `rows`."""
    if card.task in {"regression", "forecast"}:
        values: Sequence[Scalar] = (0.0, 1.0)
    else:
        values = ClassLabels.of(card.task, card.classes).classes or (0,)
    return list(islice(cycle(values), max(rows, _ROUNDS * len(values))))


def _learn_series(model: Learning, batch: Batch) -> Batch:
    """Learn the next periods with the features of a batch's first row; return the row after."""
    repeated = batch.take([0] * (_PERIODS + 1))
    first = getattr(model, "next_period", None) or int(repeated.columns[PERIOD_FEATURE][0])
    periods = first + np.arange(repeated.size)
    rows = Batch({**repeated.columns, PERIOD_FEATURE: periods}, repeated.size)
    model.learn(rows.take(range(_PERIODS)), [float(1 + at % 7) for at in range(_PERIODS)])
    return rows.take([_PERIODS])
