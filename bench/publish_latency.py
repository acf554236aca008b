"""How long it takes from a learner's publishing until a worker's shelf serves the version.

    python bench/publish_latency.py 200          # so many versions of the flights' linear model

A learner's snapshot goes to a real Redis; a shelf with its watching thread, as in a worker, is
looked at every millisecond. The time runs from before the snapshot until `get` returns the version.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import perf_counter

import numpy as np
from river.compose import Pipeline

from modstream import logs
from modstream.models.examples.flights import FLIGHT_FEATURES, online_pipeline
from modstream.models.registry.registry import Registry, RegistrySettings
from modstream.models.runtimes.river.runtime import pack
from modstream.models.schema.version_spec import Draft
from modstream.models.security.signing import Trust
from modstream.models.serving.model_cache import Shelf
from modstream.producers.replay.flights import FEATURES, load_flights
from modstream.stack.embedded import EmbeddedRedis, Server

PAUSE = 0.25
"""Seconds between two versions: those of a learner that has always something to publish."""
ROWS = 2000


def served(registry: Registry, shelf: Shelf, model: Pipeline, draft: Draft) -> float:
    """Milliseconds until a new version is served."""
    began = perf_counter()
    card = registry.publish(draft, pack(model))
    while shelf.get(draft.name).card.version < card.version:
        Event().wait(0.001)
    return (perf_counter() - began) * 1000


def main() -> None:
    """Print quantiles over all versions."""
    logs.quiet()
    versions = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    known = load_flights().dropna(subset=["late"]).iloc[: ROWS + versions]
    rows, labels = known[list(FEATURES)].to_dict("records"), known["late"].astype(bool).tolist()
    model = online_pipeline()
    for row, label in zip(rows[:ROWS], labels, strict=False):
        model.learn_one(row, label)
    draft = Draft(
        name="online", runtime="river", task="binary", classes=(False, True),
        input_schema=FLIGHT_FEATURES,
    )  # fmt: skip
    times = []
    with (
        TemporaryDirectory() as folder,
        Server(EmbeddedRedis(Path(folder))) as redis,
        Registry(redis.url, RegistrySettings(prefix="bench")) as registry,
    ):
        registry.publish(draft, pack(model))
        with Shelf(registry, Trust(())) as shelf:
            shelf.get("online")
            shelf.start()
            for row, label in zip(rows[ROWS:], labels[ROWS:], strict=True):
                model.learn_one(row, label)
                times.append(served(registry, shelf, model, draft))
                Event().wait(PAUSE)
    p50, p99 = np.percentile(times, (50, 99))
    print(f"{len(times)} versions: p50 {p50:.0f} ms, p99 {p99:.0f} ms, most {max(times):.0f} ms")  # noqa: T201


if __name__ == "__main__":
    main()
