"""Cost of the learner compared with River alone, and of publishing compared with learning.

    python bench/learning.py                # both
    python bench/learning.py loop 10000     # a plain River loop and the learner on 10,000 rows
    python bench/learning.py forest 16 5    # a forest of 16 MB, published five times

The loop alternates runs in one process; ratios are of CPU times, which other processes affect
least. The feedback is what the joiner writes for flights predicted by two models. The learner
decodes it, scores both models, validates and learns. It is compared with River's `learn_one` alone,
and with River's own test-then-train: `predict_proba_one`, two metrics, `learn_one`.
"""

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

from river import forest, metrics

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.models.examples.flights import FLIGHT_SCHEMA, online_pipeline
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.registry import Registry
from modstream.models.runtimes.river.runtime import RiverRuntime
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.process.gc_tuning import relaxed_gc
from modstream.processors.learn.learner import Learner
from modstream.processors.learn.publish_throttle import PublishSettings, PublishThrottle
from modstream.producers.replay.flights import FEATURES, load_flights
from modstream.services.learner import METRICS_THROTTLE
from modstream.stack.embedded import EmbeddedRedis, EmbeddedServer

ROUNDS = 4
BATCH = 1000
ROWS_PER_VERSION = 500
FEATURE_COUNT = 20
SMALL_BATCH = 50
VERSIONS = 5
Rows = list[dict[str, Any]]


def card(schema: InputSchema) -> ModelCard:
    """Return a card for a binary model without an artifact."""
    return ModelCard(
        name="online", version=1, runtime="river", task="binary", classes=(False, True),
        input_schema=schema, sha256="0" * 64, size=0, created=datetime.now(UTC),
    )  # fmt: skip


def flights(max_rows: int) -> tuple[Rows, list[bool]]:
    """Return the features and labels of the first flights whose label is known."""
    known = load_flights().dropna(subset=["late"]).iloc[:max_rows]
    rows = known[list(FEATURES)].to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows], [
        bool(late) for late in known["late"]
    ]


def feedback(number: int, row: Mapping[str, Any], label: bool) -> Record:  # noqa: FBT001 - a label
    """Return the record that the joiner would write."""
    version = 1 + number // ROWS_PER_VERSION
    message = Feedback(
        id=f"flight-{number}",
        label=label,
        features=dict(row),
        predictions=(
            JoinedPrediction(model="online", version=version, outputs={"probability": 0.3}),
            JoinedPrediction(model="frozen", version=1, outputs={"probability": 0.2}),
        ),
        event_time=number * 60_000,
        label_time=number * 60_000 + 1,
    )
    return Record("flights.feedback", 0, number, b"key", encode(message))


def river_loop(rows: Rows, labels: list[bool]) -> float:
    """Return the CPU seconds of River alone."""
    model, start = online_pipeline(), process_time()
    for row, label in zip(rows, labels, strict=True):
        model.learn_one(row, label)
    return process_time() - start


def river_test_then_train_loop(rows: Rows, labels: list[bool]) -> float:
    """Return the CPU seconds of River's test-then-train, with two of the learner's metrics."""
    model, auc, loss = online_pipeline(), metrics.ROCAUC(), metrics.LogLoss()
    start = process_time()
    for row, label in zip(rows, labels, strict=True):
        probabilities = model.predict_proba_one(row)
        auc.update(label, probabilities)
        loss.update(label, probabilities)
        model.learn_one(row, label)
    return process_time() - start


def learner_loop(records: list[Record]) -> float:
    """Return the CPU seconds of the learner, with metrics as often as its service computes them."""
    known = card(FLIGHT_SCHEMA)
    learner = Learner(known, RiverRuntime(online_pipeline(), known), Topics("flights"))
    with relaxed_gc():
        throttle, start = PublishThrottle(METRICS_THROTTLE, process_time), process_time()
        for first in range(0, len(records), BATCH):
            learner.learn_batch(records[first : first + BATCH])
            if throttle.is_due():
                before = process_time()
                learner.metrics()
                throttle.record_cost(process_time() - before)
        seconds = process_time() - start
    if learner.counts.learned != len(records):
        raise SystemExit(f"only {learner.counts.learned} of {len(records)} rows were learned")
    return seconds


def loop(max_rows: int = 10_000) -> None:
    """Print the CPU time per row of each loop, and the ratios of the learner to the others."""
    rows, labels = flights(max_rows)
    pairs = zip(rows, labels, strict=True)
    records = [feedback(number, row, label) for number, (row, label) in enumerate(pairs)]
    rounds = [
        (
            river_loop(rows, labels),
            river_test_then_train_loop(rows, labels),
            learner_loop(records),
        )
        for _ in range(ROUNDS)
    ]
    alone, tested, learned = (median(times) / max_rows * 1e6 for times in zip(*rounds, strict=True))
    print(  # noqa: T201
        f"{max_rows} flights, CPU us per row: River's learn_one {alone:.0f}, its test-then-train"
        f" {tested:.0f}, the learner {learned:.0f}"
    )
    for name, ratios in (
        ("learn_one", [own / river for river, _, own in rounds]),
        ("test-then-train", [own / river for _, river, own in rounds]),
    ):
        by_round = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"learner / {name}: {median(ratios):.2f} (by round {by_round})")  # noqa: T201


def endless_feedback() -> Iterator[Record]:
    """Yield feedback whose label is a noisy sign of the features' sum, so that trees grow."""
    random, names = Random(1), [f"x{number}" for number in range(FEATURE_COUNT)]
    for number in count():
        row = {name: random.gauss(0.0, 1.0) for name in names}
        yield feedback(number, row, sum(row.values()) + random.gauss(0.0, 1.0) > 0)


def publish_while_learning(
    learner: Learner, registry: Registry, rows: Iterator[Record], max_versions: int
) -> str:
    """Learn, and publish whenever due, up to `max_versions` times; return the result in words."""
    throttle, versions, publishing, learned = PublishThrottle(PublishSettings()), 0, 0.0, 0
    start = perf_counter()
    while versions < max_versions or not throttle.is_due():
        learner.learn_batch(list(islice(rows, SMALL_BATCH)))
        learned += SMALL_BATCH
        if throttle.is_due() and versions < max_versions:
            before = perf_counter()
            artifact = learner.runtime.snapshot()
            registry.publish(version_spec(learner), artifact)
            cost = perf_counter() - before
            throttle.record_cost(cost)
            publishing += cost
            versions += 1
    seconds = perf_counter() - start
    return (
        f"{len(artifact) / 1e6:.1f} MB published {versions} times in {seconds:.0f} s, every"
        f" {learned // versions} rows: {publishing / seconds:.1%} of the time"
    )


def version_spec(learner: Learner) -> VersionSpec:
    """Return the spec of a learner's next version."""
    known = learner.card
    return VersionSpec(
        name=known.name, runtime=known.runtime, task=known.task, classes=known.classes,
        input_schema=known.input_schema, offsets=dict(learner.offsets),
    )  # fmt: skip


def grow(megabytes: float = 16.0, versions: float = VERSIONS) -> None:
    """Print the share of the time that a forest of a given size spends on publishing to Redis."""
    known = card(InputSchema.of_floats([f"x{number}" for number in range(FEATURE_COUNT)]))
    trees = forest.ARFClassifier(n_models=10, grace_period=20, seed=1)
    learner, rows = (
        Learner(known, RiverRuntime(trees, known), Topics("flights")),
        endless_feedback(),
    )
    while (size := len(learner.runtime.snapshot()) / 1e6) < megabytes:
        learner.learn_batch(list(islice(rows, SMALL_BATCH)))
        print(f"{learner.counts.learned} rows: {size:.1f} MB", file=sys.stderr)  # noqa: T201
    with (
        TemporaryDirectory() as folder,
        EmbeddedServer(EmbeddedRedis(Path(folder))) as redis,
        Registry(redis.url, RegistrySettings(prefix="bench")) as registry,
    ):
        print(publish_while_learning(learner, registry, rows, int(versions)))  # noqa: T201


def main() -> None:
    """Run the benchmark named by the first argument, by default both."""
    name, *numbers = sys.argv[1:] or ["both"]
    if name in {"loop", "both"}:
        loop(*map(int, numbers))
    if name in {"forest", "both"}:
        grow(*map(float, numbers))


if __name__ == "__main__":
    main()
