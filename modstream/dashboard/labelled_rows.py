"""The newest labelled predictions of a stream with their features, from its feedback. Pure."""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import nan
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from modstream.audit.feature_table import FeatureTable
from modstream.audit.monitoring import InputDrift, measure_input_drift
from modstream.broker.wire.feedback_codec import AnyFeedback
from modstream.broker.wire.identifiers import row_key
from modstream.models.evaluation.arrays import IntArray
from modstream.models.evaluation.monitoring.features import FeatureColumn
from modstream.models.evaluation.monitoring.model_monitoring import MonitoredRows
from modstream.models.evaluation.monitoring.scored_rows import LOSS_NAMES, ScoredRows
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.models.schema.card import Task
from modstream.processors.evaluate.scoring import ScoredPair, score

MAX_ROWS = 20_000
"""Number of the newest labelled rows that are kept."""
MAX_MODELS = 8
"""Number of models whose predictions for a row are kept."""
SPARE = 1.25
"""Forgetting features moves the others: it is done when there are so many times `MAX_ROWS` rows."""


class RowPrediction(NamedTuple):
    """A prediction of a version for a row, as numbers; see `ScoredRows` and `MonitoredRows`."""

    version: int
    task: Task
    label: float
    prediction: float
    confidence: float


@dataclass(slots=True)
class LabelledRow:
    """A row with a label: its number, its times (ms), and its prediction by each model."""

    number: int
    predicted_at: int
    labelled_at: int
    by_model: dict[str, RowPrediction] = field(default_factory=dict)


class LabelledRows:
    """A fold over feedback that keeps the newest `limit` rows.

    A corrected label replaces the one before, as long as its row is kept.
    """

    def __init__(self, versions: VersionClasses, limit: int = MAX_ROWS) -> None:
        self._versions = versions
        self._limit = limit
        self._rows: OrderedDict[str, LabelledRow] = OrderedDict()
        self._features = FeatureTable()
        self._next = 0
        self.changes = 0

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def add(self, feedback: AnyFeedback) -> None:
        """Add the predictions for a row, or correct its label."""
        key = row_key(feedback.id, feedback.row)
        row = self._rows.get(key)
        if row is None and feedback.revises is not None:
            return
        if row is None:
            row = self._new_row(key, feedback)
        for joined in feedback.predictions:
            version = self._versions.get(joined.model, joined.version)
            pair = version and score(version, feedback.label, joined.outputs)
            if pair and pair.task in LOSS_NAMES:
                if len(row.by_model) < MAX_MODELS or joined.model in row.by_model:
                    row.by_model[joined.model] = row_prediction(joined.version, pair)
            else:
                row.by_model.pop(joined.model, None)
        if feedback.features is not None and feedback.revises is None:
            self._add_features(row.number, feedback.features)
        self.changes += 1

    def models(self) -> list[str]:
        """Return the models with labelled predictions, those with most first."""
        counts = Counter(model for row in self._rows.values() for model in row.by_model)
        return [model for model, _ in counts.most_common(MAX_MODELS)]

    def monitored(self, model: str) -> MonitoredRows:
        """Return the labelled predictions of a model, of its most frequent task."""
        found = [
            (row.number, row.predicted_at, row.labelled_at, *row.by_model[model])
            for row in self._rows.values()
            if model in row.by_model
        ]
        task: Task = Counter(one[4] for one in found).most_common(1)[0][0]
        chosen = [one for one in found if one[4] == task]
        numbers, predicted, labelled, versions, _, labels, values, confidences = zip(
            *chosen, strict=True
        )
        own, known = np.array(numbers, np.int64), self._features.keys()
        has_features = np.isin(own, known)
        return MonitoredRows(
            rows=ScoredRows(task, np.array(labels, float), np.array(values, float)),
            versions=np.array(versions, np.int64),
            confidences=np.array(confidences, float),
            predicted_at=np.array(predicted, np.int64),
            labelled_at=np.array(labelled, np.int64),
            columns=self._features.columns(own[has_features]),
            has_features=has_features,
        )

    def drift(self) -> InputDrift | None:
        """Return the drift of each feature between the first and the newest rows."""
        times = {row.number: row.predicted_at for row in self._rows.values()}
        keys = np.array([key for key in self._features.keys().tolist() if key in times], np.int64)

        def columns_of(rows: IntArray) -> Mapping[str, FeatureColumn]:
            return self._features.columns(keys[rows])

        return measure_input_drift(np.array([times[key] for key in keys.tolist()]), columns_of)

    def _new_row(self, key: str, feedback: AnyFeedback) -> LabelledRow:
        row = LabelledRow(self._next, feedback.event_time, feedback.label_time)
        self._next += 1
        self._rows[key] = row
        if len(self._rows) > self._limit:
            self._rows.popitem(last=False)
        return row

    def _add_features(self, number: int, features: Mapping[str, object]) -> None:
        self._features.add(number, number, features)
        if self._features.size > SPARE * self._limit:
            self._features.keep_newest(self._limit)


def row_prediction(version: int, pair: ScoredPair) -> RowPrediction:
    """Return a scored prediction as numbers."""
    label = float(pair.label)
    if isinstance(pair.prediction, Mapping):
        best, confidence = max(pair.prediction.items(), key=itemgetter(1))
        return RowPrediction(version, pair.task, label, float(best), confidence)
    return RowPrediction(version, pair.task, label, float(str(pair.prediction)), nan)
