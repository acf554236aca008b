"""Latency from the publishing of a version until a worker's model cache serves it.

    python bench/publish_latency.py 200          # 200 versions of the flights' linear model

Versions are published to a real Redis. A model cache refreshes in its background thread, as in a
worker, and is polled every millisecond. The time is measured from before the snapshot until `get`
returns the new version.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from time import perf_counter

import numpy as np
from river.compose import Pipeline

from modstream import logs
from modstream.models.examples.flights import FLIGHT_SCHEMA, online_pipeline
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.registry import Registry
from modstream.models.runtimes.river.runtime import pack
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.security.signing import Trust
from modstream.models.serving.model_cache import ModelCache
from modstream.producers.replay.flights import FEATURES, load_flights
from modstream.stack.embedded import EmbeddedRedis, EmbeddedServer

PAUSE_SECONDS = 0.25
"""Time between two versions: that of a learner that always has a new version."""
TRAINING_ROWS = 2000


def publish_until_served_ms(
    registry: Registry, cache: ModelCache, model: Pipeline, spec: VersionSpec
) -> float:
    """Publish a version and return the milliseconds until the cache serves it."""
    started = perf_counter()
    card = registry.publish(spec, pack(model))
    while cache.get(spec.name).card.version < card.version:
        Event().wait(0.001)
    return (perf_counter() - started) * 1000


def main() -> None:
    """Print percentiles over all versions."""
    logs.show_errors_only()
    versions = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    labelled = load_flights().dropna(subset=["late"]).iloc[: TRAINING_ROWS + versions]
    rows, labels = (
        labelled[list(FEATURES)].to_dict("records"),
        labelled["late"].astype(bool).tolist(),
    )
    model = online_pipeline()
    for row, label in zip(rows[:TRAINING_ROWS], labels, strict=False):
        model.learn_one(row, label)
    spec = VersionSpec(
        name="online", runtime="river", task="binary", classes=(False, True),
        input_schema=FLIGHT_SCHEMA,
    )  # fmt: skip
    times = []
    with (
        TemporaryDirectory() as folder,
        EmbeddedServer(EmbeddedRedis(Path(folder))) as redis,
        Registry(redis.url, RegistrySettings(prefix="bench")) as registry,
    ):
        registry.publish(spec, pack(model))
        with ModelCache(registry, Trust(())) as cache:
            cache.get("online")
            cache.start()
            for row, label in zip(rows[TRAINING_ROWS:], labels[TRAINING_ROWS:], strict=True):
                model.learn_one(row, label)
                times.append(publish_until_served_ms(registry, cache, model, spec))
                Event().wait(PAUSE_SECONDS)
    p50, p99 = np.percentile(times, (50, 99))
    print(f"{len(times)} versions: p50 {p50:.0f} ms, p99 {p99:.0f} ms, maximum {max(times):.0f} ms")  # noqa: T201


if __name__ == "__main__":
    main()
