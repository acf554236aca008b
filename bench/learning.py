"""What the learner costs beside River itself, and what publishing costs beside learning.

    python bench/learning.py                # both
    python bench/learning.py loop 10000     # a bare River loop against the learner, so many rows
    python bench/learning.py forest 16 5    # a forest of so many MB, published five times

The loop alternates runs in one process; ratios are those of CPU times, which other processes
touch least. Feedback is what the joiner writes for flights answered by two models. The learner
decodes it, scores both models, guards and learns; it is held against River's `learn_one` alone, and
against River's own way to test then train: `predict_proba_one`, two metrics, `learn_one`.
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
from modstream.broker.wire.contracts import Feedback, Scored
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.models.examples.flights import FLIGHT_FEATURES, online_pipeline
from modstream.models.registry.registry import Registry, RegistrySettings
from modstream.models.runtimes.river.runtime import RiverRuntime
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import Draft
from modstream.process.gc_tuning import seldom_collected
from modstream.processors.learn.learner import Learner
from modstream.processors.learn.publish_throttle import Cadence, CadenceSettings
from modstream.producers.replay.flights import FEATURES, load_flights
from modstream.services.learner import METRICS
from modstream.stack.embedded import EmbeddedRedis, Server

TURNS = 4
BATCH = 1000
ROWS_PER_VERSION = 500
WIDTH = 20
FEW = 50
VERSIONS = 5
Rows = list[dict[str, Any]]


def card(schema: InputSchema) -> ModelCard:
    """A card for a binary model; the bytes it names are never asked for."""
    return ModelCard(
        name="online", version=1, runtime="river", task="binary", classes=(False, True),
        input_schema=schema, sha256="0" * 64, size=0, created=datetime.now(UTC),
    )  # fmt: skip


def flights(most: int) -> tuple[Rows, list[bool]]:
    """The first flights whose label is known."""
    known = load_flights().dropna(subset=["late"]).iloc[:most]
    rows = known[list(FEATURES)].to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows], [
        bool(late) for late in known["late"]
    ]


def feedback(number: int, row: Mapping[str, Any], label: bool) -> Record:  # noqa: FBT001 - a label
    """The record that the joiner would write."""
    version = 1 + number // ROWS_PER_VERSION
    told = Feedback(
        id=f"flight-{number}",
        label=label,
        features=dict(row),
        predictions=(
            Scored(model="online", version=version, outputs={"probability": 0.3}),
            Scored(model="frozen", version=1, outputs={"probability": 0.2}),
        ),
        event_time=number * 60_000,
        label_time=number * 60_000 + 1,
    )
    return Record("flights.feedback", 0, number, b"key", encode(told))


def bare_loop(rows: Rows, labels: list[bool]) -> float:
    """CPU seconds of River alone."""
    model, began = online_pipeline(), process_time()
    for row, label in zip(rows, labels, strict=True):
        model.learn_one(row, label)
    return process_time() - began


def tested_loop(rows: Rows, labels: list[bool]) -> float:
    """CPU seconds of River's own test-then-train, with the figures that the learner has, too."""
    model, area, loss = online_pipeline(), metrics.ROCAUC(), metrics.LogLoss()
    began = process_time()
    for row, label in zip(rows, labels, strict=True):
        said = model.predict_proba_one(row)
        area.update(label, said)
        loss.update(label, said)
        model.learn_one(row, label)
    return process_time() - began


def learner_loop(records: list[Record]) -> float:
    """CPU seconds of the learner, figures included as often as its role asks for them."""
    known = card(FLIGHT_FEATURES)
    learner = Learner(known, RiverRuntime(online_pipeline(), known), Topics("flights"))
    with seldom_collected():
        measuring, began = Cadence(METRICS, process_time), process_time()
        for first in range(0, len(records), BATCH):
            learner.absorb(records[first : first + BATCH])
            if measuring.is_due():
                start = process_time()
                list(learner.metrics())
                measuring.published(process_time() - start)
        spent = process_time() - began
    if learner.counts.learned != len(records):
        raise SystemExit(f"only {learner.counts.learned} of {len(records)} rows were learned")
    return spent


def loop(most: int = 10_000) -> None:
    """Print the CPU time of a row, bare and learned, and the ratio of their medians."""
    rows, labels = flights(most)
    facts = zip(rows, labels, strict=True)
    records = [feedback(number, row, label) for number, (row, label) in enumerate(facts)]
    turns = [
        (bare_loop(rows, labels), tested_loop(rows, labels), learner_loop(records))
        for _ in range(TURNS)
    ]
    bare, tested, learned = (median(times) / most * 1e6 for times in zip(*turns, strict=True))
    print(  # noqa: T201
        f"{most} flights, us of CPU a row: River's learn_one {bare:.0f}, its test-then-train"
        f" {tested:.0f}, the learner {learned:.0f}"
    )
    for name, ratios in (
        ("learn_one", [own / alone for alone, _, own in turns]),
        ("test-then-train", [own / alone for _, alone, own in turns]),
    ):
        told = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"learner / {name}: {median(ratios):.2f} (turn by turn {told})")  # noqa: T201


def blobs() -> Iterator[Record]:
    """Endless feedback of 20 numbers whose sum decides, with noise, so that trees keep growing."""
    random, names = Random(1), [f"x{number}" for number in range(WIDTH)]
    for number in count():
        row = {name: random.gauss(0.0, 1.0) for name in names}
        yield feedback(number, row, sum(row.values()) + random.gauss(0.0, 1.0) > 0)


def published(learner: Learner, registry: Registry, rows: Iterator[Record], most: int) -> str:
    """Learn on, publish whenever it is due so many times, and say what that came to."""
    cadence, versions, publishing, learned = Cadence(CadenceSettings()), 0, 0.0, 0
    began = perf_counter()
    while versions < most or not cadence.is_due():
        learner.absorb(list(islice(rows, FEW)))
        learned += FEW
        if cadence.is_due() and versions < most:
            start = perf_counter()
            artifact = learner.runtime.snapshot()
            registry.publish(draft(learner), artifact)
            cost = perf_counter() - start
            cadence.published(cost)
            publishing += cost
            versions += 1
    spent = perf_counter() - began
    return (
        f"{len(artifact) / 1e6:.1f} MB published {versions} times in {spent:.0f} s, every"
        f" {learned // versions} rows: {publishing / spent:.1%} of the time"
    )


def draft(learner: Learner) -> Draft:
    """What a learner says of its next version."""
    known = learner.card
    return Draft(
        name=known.name, runtime=known.runtime, task=known.task, classes=known.classes,
        input_schema=known.input_schema, offsets=dict(learner.offsets),
    )  # fmt: skip


def grow(megabytes: float = 16.0, versions: float = VERSIONS) -> None:
    """Print which share of its time a forest of that size spends on being published to Redis."""
    known = card(InputSchema.floats([f"x{number}" for number in range(WIDTH)]))
    trees = forest.ARFClassifier(n_models=10, grace_period=20, seed=1)
    learner, rows = Learner(known, RiverRuntime(trees, known), Topics("flights")), blobs()
    while (size := len(learner.runtime.snapshot()) / 1e6) < megabytes:
        learner.absorb(list(islice(rows, FEW)))
        print(f"{learner.counts.learned} rows: {size:.1f} MB", file=sys.stderr)  # noqa: T201
    with (
        TemporaryDirectory() as folder,
        Server(EmbeddedRedis(Path(folder))) as redis,
        Registry(redis.url, RegistrySettings(prefix="bench")) as registry,
    ):
        print(published(learner, registry, rows, int(versions)))  # noqa: T201


def main() -> None:
    """Run what is asked for, else both."""
    name, *numbers = sys.argv[1:] or ["both"]
    if name in {"loop", "both"}:
        loop(*map(int, numbers))
    if name in {"forest", "both"}:
        grow(*map(float, numbers))


if __name__ == "__main__":
    main()
