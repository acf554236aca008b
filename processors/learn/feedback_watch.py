"""Compares the newest labelled rows of a model with earlier ones: has its loss risen, or its input?

The tests are those of the monitoring (`models/evaluation/monitoring`): one-sided of two mean
losses, with the variance by days or hours, and of each feature, adjusted for their number. Pure.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modstream.broker.wire.features import FeatureRow
from modstream.broker.wire.feedback_codec import AnyFeedback
from modstream.models.evaluation.arrays import FloatArray, IntArray
from modstream.models.evaluation.monitoring.feature_drift import measure_feature_drift
from modstream.models.evaluation.monitoring.features import (
    CategoryColumn,
    FeatureColumn,
    NumberColumn,
)
from modstream.models.evaluation.monitoring.mean_tests import BlockSamples, RowSamples
from modstream.models.evaluation.monitoring.periods import HOUR_MS, block_unit, blocks_of
from modstream.models.evaluation.monitoring.scored_rows import LOSS_NAMES, ScoredRows
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.models.schema.card import Task
from modstream.processors.evaluate.scoring import ScoredPair, score
from modstream.processors.learn.retrain_policy import RetrainSettings, Trigger

LOOKS_PER_WINDOW = 4
"""How often the newest rows are compared while as many of them arrive as a window has."""
MAX_NAMED = 3
"""Number of features that the reason of a drift names."""

BoolArray = npt.NDArray[np.bool_]


class WatchedRow(NamedTuple):
    """A labelled row: label and prediction as `ScoredRows` has them, and its features, if kept.

    `time` is the event time of its request, in ms.
    """

    task: Task
    label: float
    prediction: float
    time: int
    features: FeatureRow | None


class LossComparison(NamedTuple):
    """The mean losses of former and newest rows, and the p-value that it has not risen."""

    name: str
    before: float
    now: float
    p_value: float

    @property
    def rise(self) -> float:
        """The rise as a share of the former mean; infinite if that is 0."""
        if self.before > 0:
            return self.now / self.before - 1
        return float("inf") if self.now > 0 else 0.0


@dataclass(slots=True)
class FeedbackWatch:
    """Follows the labelled predictions of one model, and finds reasons to retrain it.

    The first `settings.window` rows since the last `reset` or `restart` are the reference; the
    newest ones after them are compared with it.

    Attributes:
        model: the model's name.
        settings: the limits.
        versions: the classes of the versions that predicted.
        labels: number of labels since the last retraining.
        figures: what the last comparison found, by name.
    """

    model: str
    settings: RetrainSettings
    versions: VersionClasses
    labels: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)
    _reference: list[WatchedRow] = field(default_factory=list)
    _newest: deque[WatchedRow] = field(init=False)
    _since_look: int = 0
    _first_time: int | None = None
    _min_version: int = 0

    def __post_init__(self) -> None:
        """Keep a window of rows."""
        self._newest = deque(maxlen=self.settings.window)

    def add(self, feedback: AnyFeedback) -> Trigger | None:
        """Add a label; return why to retrain now, or None if there is no reason.

        Labels of rows that the model did not predict, and revised ones, count for nothing.
        """
        row = self._scored(feedback)
        if row is None:
            return None
        self.labels += 1
        if self._first_time is None:
            self._first_time = feedback.label_time
        if len(self._reference) < self.settings.window:
            self._reference.append(row)
        else:
            self._newest.append(row)
            self._since_look += 1
        return self._look() or self._find_due(feedback.label_time)

    def reset(self) -> None:
        """Begin anew after a retraining."""
        self.restart(self._min_version)
        self.labels, self._first_time = 0, None

    def restart(self, min_version: int = 0) -> None:
        """Take a new reference: another version serves, and earlier ones than it do not count."""
        self._reference.clear()
        self._newest.clear()
        self._since_look, self._min_version = 0, min_version

    def _scored(self, feedback: AnyFeedback) -> WatchedRow | None:
        if feedback.revises is not None:
            return None
        for prediction in feedback.predictions:
            if prediction.model != self.model or prediction.version < self._min_version:
                continue
            labels = self.versions.get(prediction.model, prediction.version)
            pair = None if labels is None else score(labels, feedback.label, prediction.outputs)
            if pair is not None and pair.task in LOSS_NAMES:
                features = feedback.features if self.settings.min_psi else None
                return watched_row(pair, feedback.event_time, features)
        return None

    def _look(self) -> Trigger | None:
        """Compare, when enough rows are new."""
        settings, size = self.settings, len(self._newest)
        is_due = self._since_look * LOOKS_PER_WINDOW >= settings.window
        if not settings.alpha or size < settings.window or not is_due:
            return None
        self._since_look = 0
        newest = list(self._newest)
        found = compare_losses(self._reference, newest)
        self.figures = {"before": found.before, "now": found.now, "p": found.p_value}
        if found.p_value < settings.alpha and found.rise >= settings.min_loss_rise:
            reason = f"{found.name} went from {found.before:.4g} to {found.now:.4g}"
            return Trigger("loss", f"{reason} (p = {found.p_value:.2g})", self.figures)
        return self._find_drift(newest)

    def _find_drift(self, newest: Sequence[WatchedRow]) -> Trigger | None:
        if not self.settings.min_psi:
            return None
        found = {
            one.feature: one.psi - one.psi_by_chance
            for one in measure_feature_drift(columns_of(self._reference), columns_of(newest))
            if one.p_value < self.settings.alpha
        }
        far = {name: psi for name, psi in found.items() if psi >= self.settings.min_psi}
        if not far:
            return None
        named = ", ".join(f"{name} (PSI {psi:.2g})" for name, psi in list(far.items())[:MAX_NAMED])
        more = f" and {len(far) - MAX_NAMED} more" if len(far) > MAX_NAMED else ""
        return Trigger("drift", f"inputs changed: {named}{more}", far)

    def _find_due(self, time: int) -> Trigger | None:
        hours = self.settings.every_hours
        if not hours or self._first_time is None or time - self._first_time < hours * HOUR_MS:
            return None
        return Trigger("schedule", f"{hours:g} hours of event time since the last retraining")


def watched_row(pair: ScoredPair, time: int, features: FeatureRow | None) -> WatchedRow:
    """Return a scored label as a row; of several classes, the positions are compared."""
    predicted = pair.prediction
    if isinstance(predicted, Mapping):
        predicted = max(predicted, key=predicted.__getitem__)
    label, value = np.array([pair.label, predicted], dtype=object).astype(np.float64).tolist()
    return WatchedRow(pair.task, label, value, time, features)


def compare_losses(before: Sequence[WatchedRow], now: Sequence[WatchedRow]) -> LossComparison:
    """Test whether the mean loss of newer rows is greater than that of former ones.

    Both have at least one row; rows of another task than that of the last one are left out.
    """
    task = now[-1].task
    former, newest = ([row for row in rows if row.task == task] for rows in (before, now))
    rows = [*former, *newest]
    scored = ScoredRows(
        task, np.array([row.label for row in rows]), np.array([row.prediction for row in rows])
    )
    is_new = np.arange(len(rows)) >= len(former)
    losses, times = scored.losses(), np.array([row.time for row in rows], dtype=np.int64)
    before_mean, now_mean = (
        float(losses[mask].mean()) if mask.any() else 0.0 for mask in (~is_new, is_new)
    )
    p_value = p_value_of_rise(losses, times, is_new)
    return LossComparison(LOSS_NAMES[task], before_mean, now_mean, p_value)


def p_value_of_rise(losses: FloatArray, times: IntArray, is_new: BoolArray) -> float:
    """Return the p-value that the mean of the new losses is not greater than that of the others.

    All are (n,). Losses of one day, or hour, may depend on each other, if there are enough of them.
    """
    blocks = blocks_of(times, block_unit(times))
    if blocks is None:
        former, newest = (
            RowSamples(*(np.array([float(one)]) for one in (len(part), part.sum(), part @ part)))
            for part in (losses[~is_new], losses[is_new])
        )
        return float(newest.greater(former)[0])
    size = int(blocks.max()) + 1
    old, new = (
        BlockSamples(
            np.bincount(blocks[mask], minlength=size).astype(np.float64)[None],
            np.bincount(blocks[mask], losses[mask], minlength=size).astype(np.float64)[None],
        )
        for mask in (~is_new, is_new)
    )
    return float(new.greater(old)[0])


def columns_of(rows: Sequence[WatchedRow]) -> dict[str, FeatureColumn]:
    """Return the features of those rows that have any, by name."""
    known = [row.features for row in rows if row.features is not None]
    names = dict.fromkeys(name for features in known for name in features)
    columns = {name: _column([features.get(name) for features in known]) for name in names}
    return {name: column for name, column in columns.items() if column is not None}


def _column(values: Sequence[object]) -> FeatureColumn | None:
    """Return numbers as numbers, texts and booleans as categories; None for anything else."""
    present = [value for value in values if value is not None]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in present):
        return NumberColumn(
            np.array([np.nan if one is None else one for one in values], np.float64)
        )
    if not all(isinstance(value, str | int | float) for value in present):
        return None
    names = {name: place for place, name in enumerate(dict.fromkeys(map(str, present)))}
    codes = [-1 if value is None else names[str(value)] for value in values]
    return CategoryColumn(np.array(codes, dtype=np.int64), tuple(names))
