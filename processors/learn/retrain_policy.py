"""When to retrain a model: after an alarm, or when its metric decays. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Literal

from modstream.broker.wire.model_contracts import Metrics, ModelEvent
from modstream.models.registry.refs import CHALLENGER

TriggerKind = Literal["rollback", "metric", "loss", "drift", "schedule"]


@dataclass(frozen=True, slots=True)
class Trigger:
    """Why a model is retrained: what was found, as a sentence and as figures by name."""

    kind: TriggerKind
    reason: str
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RetrainSettings:
    """When a model is retrained, and where the result is published."""

    alias: str = CHALLENGER
    """Alias under which an accepted challenger is published, such as that of a batch candidate."""
    spare_alias: str = ""
    """A second alias, under which a challenger is published while the version under `alias` is the
    champion; without one, that is `alias`, too."""
    decay: float = 0.05
    """A model decays when its metric is worse than its best since the last retraining by more than
    this, or worse than `train.threshold`."""
    min_window: int = 1000
    """Minimum number of labels in the metric's window; metrics over fewer labels are ignored."""
    window: int = 5000
    """Number of the newest labels whose mean loss, and whose features, are compared with those of
    as many labels before."""
    alpha: float = 0.01
    """Level of the test that the mean loss has risen, and of those that features have changed; 0
    switches both off."""
    min_loss_rise: float = 0.02
    """Rise of the mean loss, as a share of the former one, below which it is none, however certain.
    """
    min_psi: float = 0.0
    """Population stability index of a feature, above what chance brings, that causes a retraining;
    0.25 is large. 0 switches this off, as by default: inputs drift with hour and season without
    harming accuracy."""
    min_input_shift: float = 0.0
    """Shift of a feature's mean, in standard deviations, that causes a retraining. 0 switches this
    off, as by default."""
    every_hours: float = 0.0
    """Hours of event time after which a model is retrained without any other reason; 0 switches
    this off."""
    min_labels_between: int = 5000
    """Minimum number of labels between two retrainings."""
    max_runs_per_day: int = 8
    """Maximum number of retrainings within 24 hours."""
    max_seconds: float = 3600.0
    """Time after which a training is ended, which counts as failed."""
    max_attempts: int = 2
    """How often a retraining is begun that ends with its process; then it is abandoned."""


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
    _alarm: Trigger | None = field(default=None, init=False)

    def on_event(self, event: ModelEvent) -> None:
        """Process an event; a rollback decided by the model's gate is an alarm."""
        if event.model == self.model and event.action == "rollback" and event.decision is not None:
            self._alarm = Trigger("rollback", f"rolled back: {event.reason}")

    def on_metrics(self, metrics: Metrics) -> Trigger | None:
        """Process metrics; return why to retrain now, or None if there is no reason."""
        if metrics.kind == "input_drift" and metrics.model == self.model:
            shift = find_input_shift(metrics.values, self.settings.min_input_shift)
            self._alarm = shift or self._alarm
        if (metrics.kind, metrics.model, metrics.version) != ("prequential", self.model, None):
            return None
        labelled = metrics.values.get("labelled", 0.0)
        if not isfinite(labelled):
            return None
        self.labels = int(labelled)
        if self.labels < self._min_labels:
            return None
        return self._alarm or self._find_decay(metrics.values)

    def reset(self) -> None:
        """Start the interval to the next retraining, and forget the alarm and the best metric.

        Call it after every attempt: a retraining on the same feedback would end the same way.
        """
        self._best, self._alarm = None, None
        self._min_labels = self.labels + self.settings.min_labels_between

    def _find_decay(self, values: Mapping[str, float]) -> Trigger | None:
        value = values.get(self.metric)
        if value is None or not values.get("window", 0.0) >= self.settings.min_window:
            return None
        sign = -1 if self.is_loss else 1
        if self.threshold is not None and sign * value < sign * self.threshold:
            reason = f"{self.metric} is {value:.4g}, required is {self.threshold:.4g}"
            return Trigger("metric", reason, {"before": self.threshold, "now": value})
        self._best = value if self._best is None else sign * max(sign * value, sign * self._best)
        if sign * (self._best - value) > self.settings.decay:
            reason = f"{self.metric} went from {self._best:.4g} to {value:.4g}"
            return Trigger("metric", reason, {"before": self._best, "now": value})
        return None


def find_input_shift(shifts: Mapping[str, float], min_shift: float) -> Trigger | None:
    """Return the features that moved by at least `min_shift` standard deviations, None without any.

    A `min_shift` of 0 switches this off.
    """
    far = {name: shift for name, shift in shifts.items() if min_shift and abs(shift) >= min_shift}
    moves = ", ".join(f"{name} by {shift:+.2g} standard deviations" for name, shift in far.items())
    return Trigger("drift", f"inputs moved: {moves}", far) if moves else None
