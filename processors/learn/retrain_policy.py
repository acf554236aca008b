"""When to retrain a model: after an alarm, or when its metric decays. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

from modstream.broker.wire.model_contracts import Metrics, ModelEvent
from modstream.models.registry.refs import CHALLENGER


@dataclass(frozen=True, slots=True)
class RetrainSettings:
    """When a model is retrained, and where the result is published."""

    alias: str = CHALLENGER
    """Alias under which an accepted challenger is published, such as that of a batch candidate."""
    decay: float = 0.05
    """A model decays when its metric is worse than its best since the last retraining by more than
    this, or worse than `train.threshold`."""
    min_window: int = 1000
    """Minimum number of labels in the metric's window; metrics over fewer labels are ignored."""
    min_labels_between: int = 5000
    """Minimum number of labels between two retrainings."""
    min_input_shift: float = 0.0
    """Shift of a feature's mean, in standard deviations, that causes a retraining. 0 switches this
    off, as by default: inputs drift with hour and season without harming accuracy."""


@dataclass(slots=True)
class RetrainPolicy:
    """Decides from events and metrics when one model is to be retrained, and why.

    Attributes:
        model: the model's name.
        metric: the metric that decides.
        settings: the limits.
        is_loss: whether a lower metric is better.
        threshold: the value that the metric must reach, if any.
        labels: number of labels seen by the model so far.
    """

    model: str
    metric: str
    settings: RetrainSettings
    is_loss: bool = False
    threshold: float | None = None
    labels: int = 0
    _best: float | None = None
    _min_labels: int = 0
    _alarm: str = field(default="", init=False)

    def on_event(self, event: ModelEvent) -> None:
        """Process an event; a rollback decided by the model's gate is an alarm."""
        if event.model == self.model and event.action == "rollback" and event.decision is not None:
            self._alarm = f"rolled back: {event.reason}"

    def on_metrics(self, metrics: Metrics) -> str:
        """Process metrics; return the reason to retrain now, or "" if there is none."""
        if metrics.kind == "input_drift" and metrics.model == self.model:
            shift = input_shift_reason(metrics.values, self.settings.min_input_shift)
            self._alarm = shift or self._alarm
        if (metrics.kind, metrics.model, metrics.version) != ("prequential", self.model, None):
            return ""
        labelled = metrics.values.get("labelled", 0.0)
        if not isfinite(labelled):
            return ""
        self.labels = int(labelled)
        if self.labels < self._min_labels:
            return ""
        return self._alarm or self._decay_reason(metrics.values)

    def reset(self) -> None:
        """Start the interval to the next retraining, and forget the alarm and the best metric.

        Call it after every attempt: a retraining on the same feedback would end the same way.
        """
        self._best, self._alarm = None, ""
        self._min_labels = self.labels + self.settings.min_labels_between

    def _decay_reason(self, values: Mapping[str, float]) -> str:
        value = values.get(self.metric)
        if value is None or not values.get("window", 0.0) >= self.settings.min_window:
            return ""
        sign = -1 if self.is_loss else 1
        if self.threshold is not None and sign * value < sign * self.threshold:
            return f"{self.metric} is {value:.4g}, required is {self.threshold:.4g}"
        self._best = value if self._best is None else sign * max(sign * value, sign * self._best)
        if sign * (self._best - value) > self.settings.decay:
            return f"{self.metric} went from {self._best:.4g} to {value:.4g}"
        return ""


def input_shift_reason(shifts: Mapping[str, float], min_shift: float) -> str:
    """Return which features moved by at least `min_shift` standard deviations, or "" if none.

    A `min_shift` of 0 switches this off.
    """
    far = {name: shift for name, shift in shifts.items() if min_shift and abs(shift) >= min_shift}
    moves = ", ".join(f"{name} by {shift:+.2g} standard deviations" for name, shift in far.items())
    return f"inputs moved: {moves}" if moves else ""
