"""Metrics of a learner, from its counts and from the metrics that it publishes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType

from prometheus_client.core import Metric

from modstream.broker.wire.model_contracts import Metrics
from modstream.processors.learn.learner import Learner
from modstream.processors.promote.mean_candidate import MeanCandidate
from modstream.telemetry import learning_metrics
from modstream.telemetry.instruments import Histogram, Increases, Tally, gauge_family

NO_MEANS: Mapping[str, MeanCandidate] = MappingProxyType({})
METRIC_NAMES = ("accuracy", "auc", "log_loss", "macro_f1", "mae", "r2", "rmse", "smape")
"""The metrics that have series; those of each step of a forecast have none."""


class LearnerMetrics:
    """The series of a learner. Quality is that of a model's latest labels, whichever its version.

    A version would be a label value that changes with every publication, once a second at most.
    """

    def __init__(self) -> None:
        self._read = Tally(learning_metrics.LEARNER_FEEDBACK)
        self._outcomes = Tally(learning_metrics.LEARNER_OUTCOMES)
        self._shifts = Histogram(learning_metrics.LEARNER_SHIFT)
        self._increases = Increases()
        self._learners: Mapping[str, Learner] = {}
        self._means: Mapping[str, MeanCandidate] = {}
        self._quality: dict[str, Mapping[str, float]] = {}

    def watch(
        self, learners: Mapping[str, Learner], means: Mapping[str, MeanCandidate] = NO_MEANS
    ) -> None:
        """Measure the candidates of a model, the lead first; their counts begin now."""
        self._learners, self._means = learners, means
        self.update(())

    def update(self, metrics: Sequence[Metrics]) -> None:
        """Take the metrics that are published, and the lead's counts; called by its own thread."""
        lead = next(iter(self._learners.values()))
        grown = self._increases.update("lead", asdict(lead.counts))
        self._read.add(grown.pop("seen", 0))
        for outcome in asdict(lead.counts).keys() - {"seen"}:
            self._outcomes.add(grown.get(outcome, 0), (outcome,))
        for one in metrics:
            if one.kind == "input_drift":
                for shift in one.values.values():
                    self._shifts.observe(abs(shift))
            elif one.kind == "prequential" and one.version is None and one.model is not None:
                self._quality[one.model] = one.values

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        for instrument in (self._read, self._outcomes, self._shifts):
            yield instrument.family()
        published = {
            (name,): float(learner.card.version) for name, learner in self._learners.items()
        }
        for name, mean in self._means.items():
            if mean.published is not None:
                published[name,] = float(mean.published.card.version)
        yield gauge_family(learning_metrics.LEARNER_VERSION, published)
        quality = sorted(self._quality.copy().items())
        yield gauge_family(
            learning_metrics.LEARNER_METRIC,
            {
                (model, name): values[name]
                for model, values in quality
                for name in METRIC_NAMES
                if name in values
            },
        )
        for spec, key in (
            (learning_metrics.LEARNER_WINDOW, "window"),
            (learning_metrics.LEARNER_LABELLED, "labelled"),
        ):
            yield gauge_family(spec, {(model,): values.get(key, 0) for model, values in quality})
