"""Training and publishing of the first models of the flights stream.

`frozen` is trained on January to March once and exported to ONNX; `online` is trained on the same
flights and keeps learning.
"""

from collections.abc import Callable, Sequence
from datetime import date
from importlib.metadata import version
from typing import Any

import pandas as pd
import structlog

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.models.examples.flights import (
    FLIGHT_SCHEMA,
    fast_learning_pipeline,
    frozen_pipeline,
    online_pipeline,
    uncrossed_pipeline,
)
from modstream.models.importers.onnx_export import to_onnx
from modstream.models.registry.refs import CHAMPION
from modstream.models.registry.registry import Registry
from modstream.models.runtimes.river.artifact import pack
from modstream.models.schema.input_schema import Batch, InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.training.search import ProgressCallback
from modstream.registry.events import model_event
from modstream.settings import Settings

TRAINING_START, TRAINING_END = date(2013, 1, 1), date(2013, 4, 1)
GOLDEN_ROWS = 500
CHUNK_ROWS = 2000
RANGE_FACTOR = 20

ModelBuilder = Callable[[pd.DataFrame, ProgressCallback], tuple[VersionSpec, bytes]]


def seed(
    settings: Settings,
    registry: Registry,
    load_flights: Callable[[], pd.DataFrame],
    notify: ProgressCallback,
) -> list[str]:
    """Create the topics and publish the missing models of the demo; return their names.

    `load_flights` is called only if a model is missing; see
    `modstream.producers.replay.flights.load_flights`.

    Raises:
        ModelError: a model could not be exported or published.
    """
    topics = settings.topics()
    Admin(settings.connection).create(settings.topic_specs())
    missing = [name for name in MODEL_BUILDERS if registry.newest(name) is None]
    if not missing:
        return []
    notify("reading flights", 0.0)
    flights = select_training_flights(load_flights())
    with Publisher(settings.connection, "modstream-seed") as publisher:
        for name in missing:
            spec, artifact = MODEL_BUILDERS[name](flights, notify)
            card = registry.publish(spec, artifact, reason="first version")
            publisher.send(model_event(topics, card, "publish", alias=CHAMPION))
            structlog.get_logger(__name__).info("published", model=name, version=card.version)
    return missing


def select_training_flights(flights: pd.DataFrame) -> pd.DataFrame:
    """Return the flights of January to March that have a label, in order."""
    days = flights["date"]
    chosen = flights[(days >= pd.Timestamp(TRAINING_START)) & (days < pd.Timestamp(TRAINING_END))]
    return chosen[chosen["late"].notna()].reset_index(drop=True)


def build_frozen(flights: pd.DataFrame, notify: ProgressCallback) -> tuple[VersionSpec, bytes]:
    """Fit gradient boosting, export it to ONNX, and compare the export on golden rows."""
    notify("fitting frozen", 0.0)
    model = frozen_pipeline()
    model.fit(flights[list(FLIGHT_SCHEMA.names)], flights["late"].astype(int))
    notify("exporting frozen to ONNX", 0.8)
    artifact = to_onnx(model, FLIGHT_SCHEMA, flights_to_batch(flights.tail(GOLDEN_ROWS)))
    notify("exporting frozen to ONNX", 1.0)
    used = library_versions("scikit-learn", "skl2onnx", "onnx")
    return first_version_spec("frozen", "onnx", (0, 1), used, flights), artifact


def build_online(flights: pd.DataFrame, notify: ProgressCallback) -> tuple[VersionSpec, bytes]:
    """Train the River pipeline on the flights once, in order."""
    return build_candidate(flights, notify, "online", online_pipeline)


def build_candidate(
    flights: pd.DataFrame,
    notify: ProgressCallback,
    name: str,
    build: Callable[[], Any],
    schema: InputSchema = FLIGHT_SCHEMA,
) -> tuple[VersionSpec, bytes]:
    """Train one River pipeline on the flights once, in order, as a candidate of `online`.

    `schema` has all features of FLIGHT_SCHEMA, of which the pipeline learns.
    """
    model = build()
    labels = flights["late"].astype(bool).tolist()
    for start in range(0, len(flights), CHUNK_ROWS):
        notify(f"training {name}", start / len(flights))
        rows = flights_to_batch(flights.iloc[start : start + CHUNK_ROWS]).rows()
        for row, label in zip(rows, labels[start : start + CHUNK_ROWS], strict=True):
            model.learn_one(row, label)
    notify(f"training {name}", 1.0)
    used = library_versions("river")
    spec = first_version_spec("online", "river", (False, True), used, flights, schema)
    return spec, pack(model)


CANDIDATE_PIPELINES: dict[str, Callable[[], Any]] = {
    "steady": online_pipeline,
    "quick": fast_learning_pipeline,
    "plain": uncrossed_pipeline,
}
"""The candidates that learn, by alias. The first is champion until another one is promoted."""
MODEL_BUILDERS: dict[str, ModelBuilder] = {"frozen": build_frozen, "online": build_online}
"""The function that builds each model of the demo."""


def first_version_spec(
    name: str,
    runtime: str,
    classes: Sequence[int | bool],
    used: dict[str, str],
    flights: pd.DataFrame,
    schema: InputSchema = FLIGHT_SCHEMA,
) -> VersionSpec:
    """Return the spec of a first version. `learned` counts feedback rows, so it is 0."""
    rows = len(flights)
    return VersionSpec(
        name=name,
        runtime=runtime,
        task="binary",
        classes=tuple(classes),
        input_schema=with_learning_limits(schema, flights_to_batch(flights)),
        metrics={"learned": 0, "trained_on": rows},
        libraries=used,
        note=f"trained on {rows:,} flights from {TRAINING_START} to before {TRAINING_END}",
    )


def flights_to_batch(flights: pd.DataFrame, schema: InputSchema = FLIGHT_SCHEMA) -> Batch:
    """Return flights as a batch of a schema whose features are columns."""
    rows: list[dict[str, object]] = [
        dict(zip(schema.names, row, strict=True))
        for row in flights[list(schema.names)].itertuples(index=False)
    ]
    return schema.parse_rows(rows).batch


def with_learning_limits(schema: InputSchema, batch: Batch) -> InputSchema:
    """Return the schema with hard limits for training rows: `RANGE_FACTOR` times the range seen.

    A learner must see record-breaking weather, but not values such as 1e300. Features that the
    batch does not have, such as those that the stream computes, have no limits.
    """
    bounded = []
    for feature in schema.features:
        column = batch.columns.get(feature.name)
        if feature.kind != "float" or column is None:
            bounded.append(feature)
            continue
        low, high = float(column.min()), float(column.max())
        span = RANGE_FACTOR * (high - low)
        limits = {"low": low - span, "high": high + span}
        bounded.append(feature.model_copy(update=limits))
    return InputSchema(features=tuple(bounded))


def library_versions(*names: str) -> dict[str, str]:
    """Return the installed versions of libraries."""
    return {name: version(name) for name in names}
