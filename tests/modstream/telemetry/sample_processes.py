"""The metrics of every kind of process after some work, without servers."""

from types import SimpleNamespace

from prometheus_client import CollectorRegistry

from modstream.broker.loop.ports import BatchStats, HandlerResult, ModelCost
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import ProducerRecord, Record, TopicPartition
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.models.serving.model_cache import ModelSwap
from modstream.process.health import HealthReport
from modstream.processors.conformal.model_state import ModelState
from modstream.processors.conformal.settings import ServedSetSettings
from modstream.processors.conformal.tracker import ConformalTracker
from modstream.processors.join.label_stats import LabelCoverage, LabelStats
from modstream.processors.learn.counts import LearnerCounts
from modstream.producers.gateway.call_stats import CallStats
from modstream.producers.gateway.concurrency_limit import ConcurrencyLimit
from modstream.producers.gateway.pending import PendingReplies
from modstream.producers.gateway.presence import WorkerPresence
from modstream.telemetry.aggregator import AggregatorMetrics
from modstream.telemetry.calibrator import CalibratorMetrics
from modstream.telemetry.gateway import GatewayMetrics
from modstream.telemetry.joiner import JoinerMetrics
from modstream.telemetry.learner import METRIC_NAMES, LearnerMetrics
from modstream.telemetry.learning_metrics import DEVIATIONS
from modstream.telemetry.materializer import MaterializerMetrics
from modstream.telemetry.process import ProcessMetrics
from modstream.telemetry.retrainer import RetrainerMetrics
from modstream.telemetry.worker import PrometheusHooks

TRACE = (("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),)


class Probe:
    """A watchdog's probe with a lag in each partition."""

    def __init__(self, topic, partitions):
        self._pending = {TopicPartition(topic, n): (10, 10 + n) for n in range(partitions)}

    def pending(self):
        return self._pending

    def deliveries(self):
        return 7

    def drained_polls(self):
        return 3

    def has_records(self, ranges):
        return bool(ranges)


def started(service, partitions=4):
    """Return a process's metrics after its first health report."""
    metrics = ProcessMetrics.of(CollectorRegistry())
    if service == "retrainer":
        metrics.on_health(HealthReport("name", True, "", None, 0.0))
    else:
        pending = metrics.probe(Probe("flights.requests", partitions)).pending()
        lag = sum(end - start for start, end in pending.values())
        report = HealthReport("name", True, "", None if service == "gateway" else lag, 0.0)
        metrics.on_health(report)
    return metrics


class Cache:
    """A cache of models that has loaded some."""

    def __init__(self, models=(), problems=()):
        aliases = ("champion", "challenger", 7)
        self.versions = {(name, alias): 3 for name in models for alias in aliases}
        self.problems = dict.fromkeys(((name, "champion") for name in problems), "broken")


def worker(models=("online",), partitions=4):
    """Return the metrics of a worker that has answered each model once."""
    metrics = started("worker", partitions)
    hooks = metrics.add(PrometheusHooks())
    hooks.watch(Cache(models, ["broken"]))
    size = SimpleNamespace(entries=1, estimated_bytes=400)
    hooks.watch_features(SimpleNamespace(size=size))
    letter = ProducerRecord("flights.dlq", None, b"")

    def handle(batch):
        hooks.on_refusal("not_json", None)
        return HandlerResult([letter])

    hooks.handler(handle, "flights.dlq")([Record("r", 0, 0, None, b"", (), 1000)])
    for model in models:
        hooks.on_delivery(BatchStats(5, 6, 0.01, (ModelCost(model, 5, 0.004),)), 0.02)
        hooks.on_swap(ModelSwap(model, "champion", 1, 2, 0.3))
    return metrics


class Partition:
    """A joiner's partition with some counts."""

    def __init__(self, models=("online",), factor=1):
        versions = {
            f"{name}/{version}": LabelCoverage(10, 4, 1) for name in models for version in (1, 2)
        }
        stats = LabelStats(delays={1024: 3 * factor, 90_000_000: factor}, versions=versions)
        counts = {"joined": 4 * factor, "missing": factor}
        self.state = SimpleNamespace(counts=counts, label_stats=stats)
        self.open_count, self.waiting_label_count = 5, 1
        self.store = SimpleNamespace(size_on_disk=lambda: 1000)


def joiner(models=("online",), partitions=4):
    """Return the metrics of a joiner whose partitions have gone on once."""
    metrics = started("joiner", partitions)
    measured = metrics.add(JoinerMetrics())
    for factor in (1, 2):
        owned = {n: Partition(models, factor) for n in range(partitions)}
        measured.update(SimpleNamespace(partitions=owned, is_active=True))
    return metrics


def learner(models=("online",), partitions=4):
    """Return the metrics of a learner that has scored predictions of each model."""
    metrics = started("learner", partitions)
    measured = metrics.add(LearnerMetrics())
    lead = SimpleNamespace(counts=LearnerCounts(), card=SimpleNamespace(version=12))
    measured.watch({"single": lead})
    lead.counts.seen, lead.counts.learned = 100, 90
    scores = {"labelled": 90, "window": 90, **dict.fromkeys(METRIC_NAMES, 0.5), "mae_1": 1}
    found = [Metrics(kind="prequential", model=name, values=scores) for name in models]
    drift = Metrics(kind="input_drift", model="online", values={"x": -1.5, "y": DEVIATIONS[0]})
    measured.update([*found, drift])
    return metrics


def retrainer(**_):
    """Return the metrics of a retrainer that has retrained once."""
    metrics = started("retrainer")
    measured = metrics.add(RetrainerMetrics())
    measured.count_records(3)
    measured.begin()
    measured.end("rejected")
    return metrics


def calibrator(models=("online",), **_):
    """Return the metrics of a calibrator with labels inside and outside their sets."""
    metrics = started("calibrator")
    settings = ServedSetSettings(dict.fromkeys(models, 0.9))
    tracker = ConformalTracker(settings, VersionClasses())
    for model in models:
        state = tracker.states[model] = ModelState.new("binary", 0.9, settings)
        state.add(1, 0.25, is_inside=True)
        state.add(1, 0.75, is_inside=False)
    metrics.add(CalibratorMetrics(tracker, SimpleNamespace(is_waiting=False)))
    return metrics


def aggregator(**_):
    """Return the metrics of an aggregator that holds a partial aggregate."""
    metrics = started("aggregator")
    measured = metrics.add(AggregatorMetrics())
    size = SimpleNamespace(entries=1, estimated_bytes=400)
    handler = SimpleNamespace(events=3, counts=SimpleNamespace(size=size))
    measured.watch(handler, SimpleNamespace(unreadable=1))
    return metrics


def materializer(models=("online",), partitions=4):
    """Return the metrics of a materializer that has written and skipped."""
    metrics = started("materializer", partitions)
    counts = SimpleNamespace(written=5, batches=2, skipped={"error": 1}, is_waiting=False)
    metrics.add(MaterializerMetrics(counts))
    return metrics


def gateway(models=("online",), partitions=4):
    """Return the metrics of a gateway that has had a call of each model."""
    metrics = started("gateway", partitions=0)
    measured = metrics.add(GatewayMetrics())
    limit = ConcurrencyLimit(64, 512)
    presence = WorkerPresence({"flights": "flights.worker"}, lambda _group: 1)
    presence.look()
    measured.watch(PendingReplies(limit, 1000), limit, presence, ["flights"])
    measured.watch_server(SimpleNamespace(refused=2), 1.9e9)
    for model in models:
        measured.on_call(CallStats("prediction", model, 0.02, TRACE))
    measured.responses.add(1, ("200",))
    return metrics


PROCESSES = {
    "worker": worker,
    "joiner": joiner,
    "learner": learner,
    "retrainer": retrainer,
    "calibrator": calibrator,
    "aggregator": aggregator,
    "materializer": materializer,
    "gateway": gateway,
}
