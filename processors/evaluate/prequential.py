"""Prequential metrics: each prediction is scored once its label arrives, by model and version.

Method: A. P. Dawid, "Statistical theory: the prequential approach", JRSS A 147 (1984); over a
sliding window as J. Gama et al., "On evaluating stream learning algorithms", Machine Learning 90
(2013) advise for models that change.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from modstream.broker.wire.feedback_codec import AnyFeedback, AnyJoinedPrediction
from modstream.broker.wire.identifiers import row_key
from modstream.broker.wire.model_contracts import Metrics
from modstream.models.evaluation.metrics import PredictedValue, compute_metrics
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.models.schema.card import Task
from modstream.models.schema.columns import Scalar
from modstream.processors.evaluate.pending_forecasts import PendingForecasts
from modstream.processors.evaluate.scoring import ScoredPair, score

MAX_MODELS = 50
"""Number of models that have metrics; predictions of further ones are not scored."""
MAX_VERSION_WINDOWS = 200
"""Number of versions, of all models together, that have metrics of their own."""

PairKey = str | tuple[str, int]
"""A row, or a row and a number among the forecast steps that its label completes."""


@dataclass(slots=True)
class LabelledWindow:
    """The newest `window` labels and predictions of one model or version, by row.

    `count` is the number of all distinct labels so far; a repeated or corrected label is not
    counted again. `newest` is the highest version that predicted.
    """

    task: Task
    window: int
    newest: int = 0
    count: int = 0
    pairs: OrderedDict[PairKey, tuple[Scalar, PredictedValue]] = field(default_factory=OrderedDict)

    def add(self, key: PairKey, label: Scalar, prediction: PredictedValue) -> None:
        """Add a label and its prediction, or replace those of the same row."""
        if key not in self.pairs:
            self.count += 1
            if len(self.pairs) == self.window:
                self.pairs.popitem(last=False)
        self.pairs[key] = (label, prediction)

    def correct(self, key: PairKey, pair: ScoredPair) -> None:
        """Replace the label of a row if it is still within the window."""
        if key in self.pairs and pair.task == self.task:
            self.pairs[key] = (pair.label, pair.prediction)


@dataclass(slots=True)
class Prequential:
    """Metrics of each model, and of each of its versions, over its last `window` labels.

    Only the newest `max_versions` versions of each model have metrics of their own; labels of older
    versions still count for the model. A revised label corrects the metrics of the version that
    made the prediction. Labels are compared with predictions by the classes of that version.

    Attributes:
        window: the number of newest labels.
        max_versions: the number of versions of a model that have metrics.
        versions: the classes of the versions.
        unscored: the number of predictions whose version is unknown, whose label is none of its
            classes, or that have no metric.
    """

    window: int = 2000
    max_versions: int = 20
    versions: VersionClasses = field(default_factory=VersionClasses)
    unscored: int = 0
    _models: dict[str, LabelledWindow] = field(default_factory=dict)
    _versions: dict[str, dict[int, LabelledWindow]] = field(default_factory=dict)
    _order: OrderedDict[tuple[str, int], None] = field(default_factory=OrderedDict)
    _changed: set[tuple[str, int]] = field(default_factory=set)
    _forecasts: PendingForecasts = field(default_factory=PendingForecasts)

    def add(self, feedback: AnyFeedback) -> None:
        """Score all predictions of a feedback against its label, or correct their scores."""
        forecasts: list[AnyJoinedPrediction] = []
        key = row_key(feedback.id, feedback.row)
        for prediction in feedback.predictions:
            version = self.versions.get(prediction.model, prediction.version)
            if version is not None and version.task == "forecast":
                forecasts.append(prediction)
                continue
            pair = None
            if version is not None:
                pair = score(version, feedback.label, prediction.outputs)
            if feedback.revises is not None:
                self._correct(prediction, key, pair)
            elif pair is None or not self._add(prediction.model, prediction.version, key, pair):
                self.unscored += 1
        if feedback.revises is None:
            for index, step in enumerate(self._forecasts.add(feedback, forecasts)):
                pair = ScoredPair("forecast", step.label, (step.number, step.value))
                self._add(step.model, step.version, (key, index), pair)

    def metrics(self, event_time: int, offsets: Mapping[str, int]) -> list[Metrics]:
        """Return the metrics of all models, and of the versions with new labels since last time.

        Args:
            event_time: time of the newest label, ms since the epoch.
            offsets: the next offset of each partition of the feedback topic.
        """
        windows: list[tuple[str, int | None, LabelledWindow]] = [
            *((model, None, window) for model, window in self._models.items()),
            *((model, at, self._versions[model][at]) for model, at in sorted(self._changed)),
        ]
        self._changed.clear()
        return [
            Metrics(
                kind="prequential",
                model=model,
                version=version,
                event_time=event_time,
                values=_values(window),
                offsets=dict(offsets),
            )
            for model, version, window in windows
        ]

    def _add(self, model: str, version: int, key: PairKey, pair: ScoredPair) -> bool:
        """Add a pair to the windows of its model and version; return False if there is none."""
        window = self._model_window(model, version, pair.task)
        if window is None:
            return False
        window.add(key, pair.label, pair.prediction)
        own = self._version_window(model, version, pair.task)
        if own is not None and own.task == pair.task:
            own.add(key, pair.label, pair.prediction)
            self._changed.add((model, version))
        return True

    def _model_window(self, model: str, version: int, task: Task) -> LabelledWindow | None:
        """Return a model's window; it starts again with a newer version of another task."""
        window = self._models.get(model)
        if window is None and len(self._models) >= MAX_MODELS:
            return None
        if window is None or (window.task != task and version > window.newest):
            window = self._models[model] = LabelledWindow(task, self.window, version)
        window.newest = max(window.newest, version)
        return window if window.task == task else None

    def _version_window(self, model: str, version: int, task: Task) -> LabelledWindow | None:
        """Return a version's window, or None if the version is too old to have one."""
        followed = self._versions.setdefault(model, {})
        if version in followed:
            return followed[version]
        if len(followed) == self.max_versions:
            oldest = min(followed)
            if version < oldest:
                return None
            self._drop(model, oldest)
        elif len(self._order) == MAX_VERSION_WINDOWS:
            self._drop(*next(iter(self._order)))
        self._order[model, version] = None
        followed[version] = LabelledWindow(task, self.window, version)
        return followed[version]

    def _drop(self, model: str, version: int) -> None:
        del self._versions[model][version], self._order[model, version]
        self._changed.discard((model, version))

    def _correct(self, prediction: AnyJoinedPrediction, key: str, pair: ScoredPair | None) -> None:
        if pair is None:
            return
        model, version = prediction.model, prediction.version
        if model in self._models:
            self._models[model].correct(key, pair)
        if version in self._versions.get(model, {}):
            self._versions[model][version].correct(key, pair)
            self._changed.add((model, version))


def _values(window: LabelledWindow) -> dict[str, float]:
    labels, predictions = zip(*window.pairs.values(), strict=True)
    metrics = compute_metrics(labels, predictions, window.task)
    return {"labelled": window.count, "window": len(window.pairs), **metrics}
