"""When a model is to be retrained: after an alarm, or when its figures decay. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from modstream.broker.wire.contracts import Metrics, ModelEvent


@dataclass(frozen=True, slots=True)
class RetrainSettings:
    """What has a model retrained, and where the result goes.

    `alias` is where an accepted challenger is published: a batch member of the family, say.
    A model decays when the metric over its window is worse than its best since the last
    retraining by more than `decay`, or than what the business asks; a window of fewer than
    `fewest` labels tells nothing. Between two retrainings lie at least `rest` labels. With `inputs`
    above 0, a feature that moved by so many of its standard deviations is a reason, too: not by
    default, for what comes may change by the hour and the season, and be answered well.
    """

    alias: str = "challenger"
    decay: float = 0.05
    fewest: int = 1000
    rest: int = 5000
    inputs: float = 0.0


@dataclass(slots=True)
class Reasons:
    """Follows what is told of one model, and says when and why it is to be retrained.

    `metric` decides, the higher the better unless `is_loss`; `bound` is what the business asks.
    """

    model: str
    metric: str
    settings: RetrainSettings
    is_loss: bool = False
    bound: float | None = None
    labels: int = 0
    _best: float | None = None
    _rested_at: int = 0
    _alarm: str = field(default="", init=False)

    def hear(self, event: ModelEvent) -> None:
        """Take note of an event: a gate that rolled the model back has raised an alarm."""
        if event.model == self.model and event.action == "rollback" and event.weighed is not None:
            self._alarm = f"rolled back: {event.evidence}"

    def see(self, told: Metrics) -> str:
        """Take note of figures; why the model is to be retrained now, empty if it is not."""
        if told.kind == "inputs" and told.model == self.model:
            self._alarm = moved(told.values, self.settings.inputs) or self._alarm
        if (told.kind, told.model, told.version) != ("prequential", self.model, None):
            return ""
        self.labels = int(told.values["labelled"])
        return self._due(told.values)

    def begin_anew(self) -> None:
        """A retraining has been tried: the next one rests, and what was best before is forgotten.

        However it ended: on the same feedback it would end so again.
        """
        self._best, self._alarm, self._rested_at = None, "", self.labels + self.settings.rest

    def _due(self, values: Mapping[str, float]) -> str:
        if self.labels < self._rested_at:
            return ""
        return self._alarm or self._decayed(values)

    def _decayed(self, values: Mapping[str, float]) -> str:
        now = values.get(self.metric)
        if now is None or values["window"] < self.settings.fewest:
            return ""
        sign = -1 if self.is_loss else 1
        if self.bound is not None and sign * now < sign * self.bound:
            return f"{self.metric} is {now:.4g}, asked for is {self.bound:.4g}"
        self._best = now if self._best is None else sign * max(sign * now, sign * self._best)
        if sign * (self._best - now) > self.settings.decay:
            return f"{self.metric} went from {self._best:.4g} to {now:.4g}"
        return ""


def moved(features: Mapping[str, float], least: float) -> str:
    """Which features moved by at least so many standard deviations; empty if none, or it is 0."""
    far = {name: by for name, by in features.items() if least and abs(by) >= least}
    told = ", ".join(f"{name} by {by:+.2g} standard deviations" for name, by in far.items())
    return f"inputs moved: {told}" if told else ""
