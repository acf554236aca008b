"""The trial itself: load a version, predict rows alone and together, and measure both."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from modstream.models.errors import PredictError, TrialFailed, UnreadableArtifact
from modstream.models.runtimes.first_labels import awaits_labels
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.runtime import (
    LEARNING_RUNTIMES,
    AnyRuntime,
    BoolArray,
    TensorRuntime,
    load,
    predict_batch,
    usable_rows,
)
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard, TrialRecord
from modstream.models.schema.input_schema import Batch
from modstream.models.schema.synthetic import synthetic_tensors, warm_up_batch
from modstream.models.trial.comparison import largest_difference

Rows = Sequence[Mapping[str, object]]
MAX_SINGLE_ROWS = 50
"""The largest number of rows that are predicted one by one."""
SINGLE_ROWS_SECONDS = 5.0
"""How long rows are predicted one by one; a slow model predicts fewer of them."""
BATCH_TOLERANCE = 1e-4
"""Largest difference between a row's outputs alone and in a batch: libraries add numbers in another
order there."""
SHOWN_NUMBERS = 8
"""The numbers of an output tensor that a report keeps."""


@dataclass(frozen=True, slots=True)
class TrialReport:
    """What a trial measured, and the answer to each row in the order of the rows.

    An answer is a number, a list of numbers or outputs by name, like those of the runtime; that of
    a model of tensors has the shape, the type and the first numbers of each output.
    A model that predicts nothing before its first labels has no rows and no answers.
    """

    rows: int
    load_seconds: float
    row_seconds: float
    batch_seconds: float
    answers: list[Any]

    def record(self) -> TrialRecord:
        """Return what the card keeps of this report."""
        return TrialRecord(
            rows=self.rows,
            load_seconds=round(self.load_seconds, 6),
            row_seconds=round(self.row_seconds, 6),
            batch_seconds=round(self.batch_seconds, 6),
        )


def try_version(
    card: ModelCard,
    artifact: Artifact,
    rows: Rows = (),
    *,
    warm_up_rows: int = 32,
    blocking_load_seconds: float = math.inf,
) -> TrialReport:
    """Load a version and predict rows, one by one and as a batch, in this process.

    Args:
        card: the version's card, which need not be published.
        artifact: the version's artifact.
        rows: rows to predict; by default the card's sample rows, or synthetic ones.
        warm_up_rows: the number of rows if `rows` is empty.
        blocking_load_seconds: limit for loading a runtime that stops all threads meanwhile.

    Raises:
        ArtifactError: the version cannot be loaded.
        TrialFailed: it loads too slowly, refuses or cannot predict a row, or predicts another value
            for a row alone than in a batch.
    """
    started = perf_counter()
    with translate_library_errors(lambda reason: UnreadableArtifact(card.runtime, reason)):
        runtime = load(artifact, card)
    load_seconds = perf_counter() - started
    if card.runtime in LEARNING_RUNTIMES and load_seconds > blocking_load_seconds:
        reason = (
            f"loading took {load_seconds:.1f} s, in which a worker answers nothing;"
            f" the limit is {blocking_load_seconds:g} s"
        )
        raise TrialFailed(card.name, reason)
    if card.output_form == "pipeline":
        return TrialReport(0, load_seconds, 0.0, 0.0, [])  # reading it is all that can fail alone
    try:
        if card.output_form == "tensors":
            return _try_tensors(cast(TensorRuntime, runtime), card, load_seconds)
        batch = _parse(card, rows) if rows else warm_up_batch(card, warm_up_rows)
        if not _predicts_any(runtime, card, batch) and awaits_labels(runtime, card, batch):
            return TrialReport(0, load_seconds, 0.0, 0.0, [])
        return _try_rows(runtime, card, batch, load_seconds, may_fail=bool(rows))
    except PredictError as error:
        raise TrialFailed(card.name, str(error), is_about_rows=True) from error


def _predicts_any(runtime: AnyRuntime, card: ModelCard, batch: Batch) -> bool:
    """Return whether a model has a prediction for one of the rows; its first call is slower."""
    try:
        return bool(usable_rows(runtime, card, batch).any())
    except PredictError:
        return False


def _parse(card: ModelCard, rows: Rows) -> Batch:
    parsed = card.input_schema.parse_rows(rows)
    if parsed.errors:
        position, error = next(iter(parsed.errors.items()))
        raise TrialFailed(card.name, f"sample row {position} is refused: {error}")
    return parsed.batch


def _try_rows(
    runtime: AnyRuntime, card: ModelCard, batch: Batch, load_seconds: float, *, may_fail: bool
) -> TrialReport:
    """Predict a batch and its rows; with `may_fail`, a row but not all may have no output."""
    (answers, usable), batch_seconds = _timed(predict_rows, runtime, card, batch)
    if not (usable.any() if may_fail else usable.all()):
        raise TrialFailed(card.name, "its output is NaN or infinite", is_about_rows=True)
    times: list[float] = []
    while len(times) < min(batch.size, MAX_SINGLE_ROWS) and sum(times) < SINGLE_ROWS_SECONDS:
        position = len(times)
        (alone, _), seconds = _timed(predict_rows, runtime, card, batch.take([position]))
        times.append(seconds)
        difference = largest_difference(answers[position], alone[0])
        if difference > BATCH_TOLERANCE:
            reason = (
                f"row {position} has the output {alone[0]} alone and {answers[position]} in a"
                f" batch of {batch.size}: save a model whose rows do not depend on the rows beside"
                " them"
            )
            raise TrialFailed(card.name, reason)
    _try_missing(runtime, card, batch)
    return TrialReport(batch.size, load_seconds, median(times), batch_seconds, answers)


def _try_missing(runtime: AnyRuntime, card: ModelCard, batch: Batch) -> None:
    """Predict a row without the features that may be missing."""
    names = [feature.name for feature in card.input_schema.features if feature.missing]
    if names:
        row = {name: None if name in names else value for name, value in batch.rows()[0].items()}
        try:
            predict_rows(runtime, card, card.input_schema.parse_rows([row]).batch)
        except PredictError as error:
            reason = f"{', '.join(names)} may be missing, but then {error}"
            raise TrialFailed(card.name, reason) from error


def predict_rows(runtime: AnyRuntime, card: ModelCard, batch: Batch) -> tuple[list[Any], BoolArray]:
    """Return the answer to each row, and whether it has one.

    Raises:
        PredictError: the runtime failed.
    """
    outputs, usable = predict_batch(runtime, card, batch)
    return outputs if isinstance(outputs, list) else outputs.tolist(), usable


def _try_tensors(runtime: TensorRuntime, card: ModelCard, load_seconds: float) -> TrialReport:
    """Predict one request of a model of tensors; it says itself whether it takes several rows."""
    inputs = synthetic_tensors(card)
    runtime.predict_tensors(inputs)
    outputs, seconds = _timed(runtime.predict_tensors, inputs)
    answer = {name: _describe(array) for name, array in outputs.items()}
    return TrialReport(1, load_seconds, seconds, seconds, [answer])


def _describe(array: npt.NDArray[Any]) -> dict[str, Any]:
    shown = np.ravel(array)[:SHOWN_NUMBERS].tolist()
    return {"shape": list(array.shape), "datatype": array.dtype.name, "data": shown}


def _timed(call: Any, *arguments: Any) -> tuple[Any, float]:  # noqa: ANN401 - any call's result
    started = perf_counter()
    result = call(*arguments)
    return result, perf_counter() - started
