"""Runtime of ONNX models whose outputs are labels, margins, distances or values by name."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from modstream.models.errors import PredictError, UnreadableArtifact
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.onnx_rows import RowRunner
from modstream.models.runtimes.onnx_session import FLOAT_TYPES, OnnxSession
from modstream.models.runtimes.runtime import NamedOutputs
from modstream.models.schema.card import ModelCard, ScoreKind
from modstream.models.schema.class_labels import ClassLabels
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch

LABELS_KEY: Final = "modstream.labels"
"""The key of the graph's own labels in its metadata: JSON, in the order of the card's classes."""
SCORE_NAMES: Final[Mapping[ScoreKind, str]] = {
    "margin": "margins",
    "distance": "distances",
    "probability": "probabilities",
}

Array = NDArray[Any]
Formatter = Callable[[Sequence[Array], int], NamedOutputs]


class OnnxNamedRuntime:
    """A model whose outputs are not one array of numbers."""

    name = "onnx"

    def __init__(self, session: OnnxSession, card: ModelCard) -> None:
        """Choose the outputs and their form.

        Raises:
            UnreadableArtifact: the outputs do not fit the card.
        """
        self._session = session
        self._rows = RowRunner(session, card.input_schema.names)
        self._outputs, self._format = _formatter(session, card)

    def predict_rows(self, batch: Batch) -> NamedOutputs:
        """Predict every row; see `NamedRuntime.predict_rows`."""
        if not batch.size:
            return []
        with translate_library_errors(partial(PredictError, self.name)):
            return self._format(self._rows.run(self._outputs, batch), batch.size)

    def snapshot(self) -> bytes:
        """Return the artifact; a session never changes."""
        return self._session.artifact

    @property
    def is_exhausted(self) -> bool:
        """Whether the model exceeded its time limit so often that it should not be asked."""
        return self._session.is_exhausted


def _formatter(session: OnnxSession, card: ModelCard) -> tuple[list[str], Formatter]:
    """Return the names of the outputs to run, and the function that arranges them by row."""
    if card.task == "multioutput_classification":
        labels = [out.name for out in session.outputs if out.type not in FLOAT_TYPES]
        known = [ClassLabels(target.classes) for target in card.targets]
        names = [target.name for target in card.targets]
        return labels, partial(_format_labels, names, known)
    if card.task in {"multioutput_regression", "transformation"}:
        key = "values" if card.task == "multioutput_regression" else "features"
        names = [target.name for target in card.targets]
        return [out.name for out in session.outputs], partial(_format_values, key, names)
    label, scores = _label_and_scores(session.outputs, card)
    arrange = _Classification(card, session.metadata.get(LABELS_KEY), has_label=label is not None)
    return [name for name in (label, scores) if name is not None], arrange


def _label_and_scores(
    outputs: Sequence[ort.NodeArg], card: ModelCard
) -> tuple[str | None, str | None]:
    floats = [out.name for out in outputs if out.type in FLOAT_TYPES]
    scores = floats[-1] if floats and card.scores != "none" else None
    others = [out.name for out in outputs if out.name not in floats]
    label = others[0] if others else None
    if label is None and card.scores == "none" and floats:
        label = floats[0]
    if (card.scores != "none" and scores is None) or (label is None and scores is None):
        raise UnreadableArtifact("onnx", "it has no output for the card's labels and scores")
    return label, scores


class _Classification:
    """Arranges the labels and scores of a classification or clustering."""

    def __init__(self, card: ModelCard, labels: str | None, *, has_label: bool) -> None:
        self._card = card
        self._has_label = has_label
        self._classes = ClassLabels.of(card.task, card.classes)
        self._by_raw: dict[object, Scalar] = {}
        if labels is not None:
            self._by_raw = dict(zip(json.loads(labels), card.classes, strict=True))
        self._is_margin = card.task == "binary" and card.scores != "none"
        self._key = SCORE_NAMES.get(card.scores, "")

    def __call__(self, outputs: Sequence[Array], size: int) -> NamedOutputs:
        scores = None
        if self._card.scores != "none":
            scores = np.asarray(outputs[-1], dtype=np.float64).reshape(size, -1)
            if self._is_margin:
                scores = scores[:, -1:]
        labels = outputs[0] if self._has_label else None
        named = self._labels(labels, scores, size)
        if scores is None:
            return [{"label": label} for label in named]
        if self._is_margin:
            key = self._key.removesuffix("s")
            margins = scores[:, 0].tolist()
            return [
                {"label": label, key: margin} for label, margin in zip(named, margins, strict=True)
            ]
        names = self._classes.names or tuple(map(str, range(scores.shape[1])))
        return [
            {"label": label, self._key: dict(zip(names, row, strict=True))}
            for label, row in zip(named, scores.tolist(), strict=True)
        ]

    def _labels(self, raw: Array | None, scores: Array | None, size: int) -> list[Scalar]:
        if raw is not None:
            return list(map(self._class_of, raw.reshape(size).tolist()))
        if scores is None:
            raise PredictError("onnx", "it has neither labels nor scores")
        nearest = self._card.scores == "distance"
        if self._is_margin:
            best = (scores[:, 0] > 0).astype(np.int64)
        else:
            best = scores.argmin(axis=1) if nearest else scores.argmax(axis=1)
        classes = self._classes.classes or range(scores.shape[1])
        return [classes[index] for index in best.tolist()]

    def _class_of(self, raw: Scalar) -> Scalar:
        if raw in self._by_raw:
            return self._by_raw[raw]
        if not self._card.classes:
            return raw
        found = self._classes.canonical(raw)
        if found is None or self._by_raw:
            raise PredictError("onnx", self._classes.reject(raw))
        return found


def _columns(outputs: Sequence[Array], size: int) -> list[list[Any]]:
    """Return the columns of several outputs [n], [n, 1] or [n, k] as lists, side by side."""
    return [column.tolist() for output in outputs for column in output.reshape(size, -1).T]


def _format_values(
    key: str, names: Sequence[str], outputs: Sequence[Array], size: int
) -> NamedOutputs:
    columns = _columns([np.asarray(output, dtype=np.float64) for output in outputs], size)
    return [{key: dict(zip(names, row, strict=True))} for row in zip(*columns, strict=True)]


def _format_labels(
    names: Sequence[str],
    classes: Sequence[ClassLabels],
    outputs: Sequence[Array],
    size: int,
) -> NamedOutputs:
    columns = _columns(outputs, size)
    for at, known in enumerate(classes):
        if known:
            canonical = {raw: known.canonical(raw) for raw in set(columns[at])}
            columns[at] = [raw if canonical[raw] is None else canonical[raw] for raw in columns[at]]
    return [{"labels": dict(zip(names, row, strict=True))} for row in zip(*columns, strict=True)]
