"""Prequential metrics: each prediction is scored once its label arrives, by model and version.

Method: A. P. Dawid, "Statistical theory: the prequential approach", JRSS A 147 (1984); over a
sliding window as J. Gama et al., "On evaluating stream learning algorithms", Machine Learning 90
(2013) advise for models that change.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modstream.broker.wire.features import JsonScalar
from modstream.broker.wire.feedback_codec import AnyFeedback, AnyJoinedPrediction
from modstream.broker.wire.model_contracts import Metrics
from modstream.models.evaluation.metrics import PredictedValue, compute_metrics
from modstream.models.schema.card import OUTPUT_NAMES, Task
from modstream.processors.evaluate.pending_forecasts import PendingForecasts

SINGLE_OUTPUT_TASKS: tuple[tuple[Task, str], ...] = (
    ("binary", OUTPUT_NAMES["binary"]),
    ("regression", OUTPUT_NAMES["regression"]),
    ("anomaly", OUTPUT_NAMES["anomaly"]),
)
"""The tasks that predict one number per row, and the name of that output."""


@dataclass(slots=True)
class LabelledWindow:
    """The newest `window` labels and predictions of one model or version, by request id.

    `count` is the number of all distinct labels so far; a repeated or corrected label is not
    counted again.
    """

    task: Task
    window: int
    count: int = 0
    pairs: OrderedDict[str, tuple[JsonScalar, PredictedValue]] = field(default_factory=OrderedDict)

    def add(self, request_id: str, label: JsonScalar, prediction: PredictedValue) -> None:
        """Add a label and its prediction, or replace those of the same request."""
        if request_id not in self.pairs:
            self.count += 1
            if len(self.pairs) == self.window:
                self.pairs.popitem(last=False)
        self.pairs[request_id] = (label, prediction)

    def correct(self, request_id: str, label: JsonScalar) -> None:
        """Replace the label of a request if it is still within the window."""
        if request_id in self.pairs:
            self.pairs[request_id] = (label, self.pairs[request_id][1])


@dataclass(slots=True)
class Prequential:
    """Metrics of each model, and of each of its versions, over its last `window` labels.

    Only the newest `max_versions` versions of each model have metrics of their own; labels of older
    versions still count for the model. A revised label corrects the metrics of the version that
    made the prediction.
    """

    window: int = 2000
    max_versions: int = 20
    _models: dict[str, LabelledWindow] = field(default_factory=dict)
    _versions: dict[str, dict[int, LabelledWindow]] = field(default_factory=dict)
    _changed: set[tuple[str, int]] = field(default_factory=set)
    _forecasts: PendingForecasts = field(default_factory=PendingForecasts)

    def add(self, feedback: AnyFeedback) -> None:
        """Score all predictions of a feedback against its label, or correct their scores."""
        for prediction in feedback.predictions:
            output = scorable_output(prediction.outputs)
            if output is None or not is_comparable(output[0], feedback.label):
                continue
            if feedback.revises is None:
                self._add(prediction, output[0], feedback.id, feedback.label, output[1])
            else:
                self._correct(prediction, feedback)
        if feedback.revises is None:
            for index, step in enumerate(self._forecasts.add(feedback)):
                step_id, value = f"{feedback.id}/{index}", (step.number, step.value)
                self._add(step.prediction, "forecast", step_id, step.label, value)

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

    def _add(
        self,
        prediction: AnyJoinedPrediction,
        task: Task,
        request_id: str,
        label: JsonScalar,
        value: PredictedValue,
    ) -> None:
        for window in self._windows_for(prediction, task):
            window.add(request_id, label, value)

    def _windows_for(
        self, prediction: AnyJoinedPrediction, task: Task
    ) -> tuple[LabelledWindow, ...]:
        """Return the window of the prediction's model, and of its version unless it is too old."""
        model, version = prediction.model, prediction.version
        followed = self._versions.setdefault(model, {})
        if version in followed:
            self._changed.add((model, version))
            return (self._models[model], followed[version])
        if model not in self._models:
            self._models[model] = LabelledWindow(task, self.window)
        if len(followed) == self.max_versions:
            oldest = min(followed)
            if version < oldest:
                return (self._models[model],)
            del followed[oldest]
            self._changed.discard((model, oldest))
        followed[version] = LabelledWindow(task, self.window)
        return self._windows_for(prediction, task)

    def _correct(self, prediction: AnyJoinedPrediction, feedback: AnyFeedback) -> None:
        model, version = prediction.model, prediction.version
        if model in self._models:
            self._models[model].correct(feedback.id, feedback.label)
        if version in self._versions.get(model, {}):
            self._versions[model][version].correct(feedback.id, feedback.label)
            self._changed.add((model, version))


def _values(window: LabelledWindow) -> dict[str, float]:
    labels, predictions = zip(*window.pairs.values(), strict=True)
    metrics = compute_metrics(labels, predictions, window.task)
    return {"labelled": window.count, "window": len(window.pairs), **metrics}


def single_output(outputs: Mapping[str, Any]) -> tuple[Task, JsonScalar] | None:
    """Return the single value of a prediction and the task that its name implies, or None.

    For several classes the value is the most likely class. A forecast has no single value, since
    each of its steps has a label.
    """
    if "label" in outputs:
        return "multiclass", outputs["label"]
    for task, name in SINGLE_OUTPUT_TASKS:
        if name in outputs:
            return task, outputs[name]
    return None


def scorable_output(outputs: Mapping[str, Any]) -> tuple[Task, PredictedValue] | None:
    """Return what is scored against a label: class probabilities, else the single value."""
    if "probabilities" in outputs:
        return "multiclass", outputs["probabilities"]
    return single_output(outputs)


def is_comparable(task: Task, label: JsonScalar) -> bool:
    """Return whether a label can be the truth of a prediction of this task; NaN cannot."""
    if task in {"binary", "anomaly"}:
        return label in (0, 1)
    return task == "multiclass" or (isinstance(label, int | float) and label == label)  # noqa: PLR0124 - NaN
