"""Metrics of a worker, from its hooks and its cache of models."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from time import time
from typing import Protocol

from prometheus_client.core import Metric

from modstream.broker.loop.ports import BatchStats, Handler, HandlerResult
from modstream.broker.wire.records import Record
from modstream.models.serving.loaded_models import ModelRef
from modstream.models.serving.model_cache import ModelSwap
from modstream.processors.errors import StateUnusable
from modstream.processors.features.state import StateSize
from modstream.telemetry import serving_metrics
from modstream.telemetry.instruments import OTHER, Histogram, Tally, gauge, gauge_family
from modstream.telemetry.metric_spec import MAX_MODELS

MAX_NOTED = 128
"""Number of delivered batches that are noted before they are measured."""


class LoadedVersions(Protocol):
    """What a worker has loaded, and what it cannot load."""

    @property
    def versions(self) -> Mapping[ModelRef, int]:
        """The version that each loaded reference serves now."""

    @property
    def problems(self) -> Mapping[ModelRef, str]:
        """Why an alias points at a version that cannot be loaded."""


class FeatureCopy(Protocol):
    """A worker's copy of its stream's features."""

    @property
    def size(self) -> StateSize:
        """The number of its partial aggregates, and its bytes."""


class PrometheusHooks:
    """Hooks of a worker that measure each delivered batch; `watch` adds its cache of models.

    A model has series of its own once it was loaded: requests may name any number of models.
    """

    def __init__(self) -> None:
        self._requests = Tally(serving_metrics.WORKER_REQUESTS)
        self._produced = Tally(serving_metrics.WORKER_PRODUCED)
        self._batch_records = Histogram(serving_metrics.WORKER_BATCH_RECORDS)
        self._handling = Histogram(serving_metrics.WORKER_HANDLING)
        self._delivery = Histogram(serving_metrics.WORKER_DELIVERY)
        self._age = Histogram(serving_metrics.WORKER_AGE)
        self._model_requests = Tally(serving_metrics.WORKER_MODEL_REQUESTS)
        self._inference = Histogram(serving_metrics.WORKER_INFERENCE)
        self._refusals = Tally(serving_metrics.WORKER_REFUSALS)
        self._dead_letters = Tally(serving_metrics.WORKER_DEAD_LETTERS)
        self._swaps = Tally(serving_metrics.WORKER_SWAPS)
        self._loads = Histogram(serving_metrics.WORKER_SWAP_SECONDS)
        self._names: dict[str, tuple[str]] = {}
        self._models: LoadedVersions | None = None
        self._features: FeatureCopy | None = None
        self._refused = 0
        self._delivered: deque[tuple[BatchStats, float]] = deque()
        self._lock = Lock()

    def watch(self, models: LoadedVersions) -> None:
        """Measure the versions of a cache of models, too."""
        self._models = models

    def watch_features(self, features: FeatureCopy) -> None:
        """Measure a copy of the stream's features, too."""
        self._features = features

    def handler(
        self, handle: Handler, dead_letters: str, now: Callable[[], float] = time
    ) -> Handler:
        """Return a handler whose requests' age is measured, and whose dead letters are counted.

        Args:
            handle: handles a batch, and reports its refusals to these hooks.
            dead_letters: the topic of dead letters.
            now: returns seconds since the epoch.
        """

        def counting(batch: Sequence[Record]) -> HandlerResult:
            if batch and (written := batch[0].timestamp) > 0:
                self._age.observe(max(0.0, now() - written / 1000))
            before = self._refused
            result = handle(batch)
            if self._refused != before:  # Without a refusal there is no dead letter.
                self._dead_letters.add(sum(one.topic == dead_letters for one in result.records))
            return result

        return counting

    def on_batch(self, batch: BatchStats) -> None:
        """Measure nothing: a batch counts once it is delivered."""

    def on_delivery(self, batch: BatchStats, seconds: float) -> None:
        """Note a delivered batch."""
        self._delivered.append((batch, seconds))
        if len(self._delivered) >= MAX_NOTED:
            self._measure_noted()

    def _measure_noted(self) -> None:
        """Measure the batches that were noted; called by the loop's thread and at a scrape.

        Many batches at once take a third of the time that each takes by itself between two batches,
        when nothing of this is in the processor's caches.
        """
        with self._lock:
            while self._delivered:
                self._measure(*self._delivered.popleft())

    def _measure(self, batch: BatchStats, seconds: float) -> None:
        self._requests.add(batch.records)
        self._produced.add(batch.produced)
        self._batch_records.observe(batch.records)
        self._handling.observe(batch.handling_seconds)
        self._delivery.observe(seconds)
        for cost in batch.costs:
            model = self._names.get(cost.model) or self._label_of(cost.model)
            self._model_requests.add(cost.rows, model)
            self._inference.observe(cost.seconds, model)

    def on_swap(self, swap: ModelSwap, /) -> None:
        """Count a swap, and measure its load."""
        self._swaps.add(1, (swap.name,))
        self._loads.observe(swap.seconds)

    def on_refusal(self, code: str, _model: str | None, /) -> None:
        """Count a refusal by its error code."""
        self._refused += 1
        self._refusals.add(1, (code,))

    def collect(self) -> Iterator[Metric]:
        """Yield all families; versions and problems are read now."""
        self._measure_noted()
        for instrument in (
            *(self._requests, self._produced, self._batch_records, self._handling),
            *(self._age, self._delivery, self._model_requests, self._inference, self._refusals),
            *(self._dead_letters, self._swaps, self._loads),
        ):
            yield instrument.family()
        if self._features is not None:
            with suppress(StateUnusable):  # Its files were closed.
                size = self._features.size
                yield gauge(serving_metrics.WORKER_FEATURE_PARTIALS, size.entries)
                yield gauge(serving_metrics.WORKER_FEATURE_BYTES, size.estimated_bytes)
        if self._models is None:
            return
        served = {
            (name, ref): float(version)
            for (name, ref), version in sorted(self._models.versions.items(), key=str)
            if isinstance(ref, str)
        }
        yield gauge_family(serving_metrics.WORKER_VERSION, served)
        yield gauge(serving_metrics.WORKER_PROBLEMS, len(self._models.problems))

    def _label_of(self, model: str) -> tuple[str]:
        """Return the label value of a model that has none yet."""
        is_full = len(self._names) >= MAX_MODELS
        if is_full or self._models is None or not _is_loaded(model, self._models):
            return (OTHER,)
        return self._names.setdefault(model, (model,))


def _is_loaded(model: str, models: LoadedVersions) -> bool:
    return any(name == model for name, _ in models.versions)
