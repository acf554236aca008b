"""Training and publishing of the candidates of `online`, which have features of the stream.

All candidates have one schema: the request's own features, and those that the stream computes. The
learner lets them compete: models that learn each label, boosting on histograms that is retrained
now and then, and the mean of both.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.demo.feature_events import computed
from modstream.demo.seed import (
    CANDIDATE_PIPELINES,
    GOLDEN_ROWS,
    TRAINING_END,
    build_candidate,
    first_version_spec,
    flights_to_batch,
    library_versions,
    select_training_flights,
)
from modstream.models.examples.flights import boosted_pipeline, flight_schema
from modstream.models.importers.onnx_export import to_onnx
from modstream.models.registry.refs import CHAMPION
from modstream.models.registry.registry import Registry
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.training.search import ProgressCallback
from modstream.models.training.trials import fitting
from modstream.processors.features.feature_set import FeatureSet
from modstream.registry.events import model_event
from modstream.settings import Settings

ONLINE = "online"
"""The name of the model whose candidates compete."""
FIRST = "steady"
"""The candidate that learns each label, in every demo."""
BOOSTED, ONCE, MEAN = "boosted", "once", "mean"
"""Boosting that is retrained, the same trained once only, and the mean with what learns online.

`boosted` serves until the gate promotes another one."""


@dataclass(frozen=True, slots=True)
class TrainingTable:
    """The flights of January to March that landed, with their features of the stream as columns.

    `names` are those features, `label_names` those of them that are made of labels alone.
    """

    flights: pd.DataFrame
    names: tuple[str, ...]
    label_names: tuple[str, ...]


def training_table(
    features: FeatureSet, flights: pd.DataFrame, board: pd.DataFrame | None
) -> TrainingTable:
    """Compute the features of the flights to train on, by the functions that compute served ones.

    Args:
        features: the features of the stream.
        flights: all flights, in the order of their scheduled departures.
        board: all departures and landings, if there are features of them.
    """
    past = flights[flights["date"] < pd.Timestamp(TRAINING_END)]
    columns = pd.DataFrame(computed(features, past, board), index=past.index)
    with_features = pd.concat([past, columns], axis=1)
    labels = tuple(one.name for one in features.definitions if one.source not in features.sources)
    return TrainingTable(select_training_flights(with_features), features.names, labels)


def build_boosted(
    table: TrainingTable, notify: ProgressCallback, name: str, used: tuple[str, ...]
) -> tuple[VersionSpec, bytes]:
    """Fit boosting on histograms to some features of the stream, and export it to ONNX."""
    notify(f"fitting {name}", 0.0)
    schema = flight_schema(used)
    flights = as_float32(table.flights, schema)
    model = boosted_pipeline(used)
    with fitting(1):
        model.fit(flights[list(schema.names)], flights["late"].astype(int))
    notify(f"exporting {name} to ONNX", 0.8)
    artifact = to_onnx(model, schema, flights_to_batch(flights.tail(GOLDEN_ROWS), schema))
    libraries = library_versions("scikit-learn", "skl2onnx", "onnx")
    spec = first_version_spec(ONLINE, "onnx", (0, 1), libraries, flights, schema)
    # Two candidates with one artifact are two versions, as their notes differ.
    return spec.model_copy(update={"note": f"{name}: {spec.note}"}), artifact


def as_float32(flights: pd.DataFrame, schema: InputSchema) -> pd.DataFrame:
    """Return flights with the numbers of a schema as float32 has them.

    A graph computes with these. A threshold between two numbers that are one in float32, or on a
    number that float32 does not have, would send rows to other leaves.
    """
    numbers = [one.name for one in schema.features if one.kind == "float"]
    return flights.assign(**flights[numbers].astype(np.float32).astype(np.float64))


def seed_family(
    settings: Settings, registry: Registry, table: TrainingTable, notify: ProgressCallback
) -> None:
    """Publish the first version of each candidate of the settings; a mean is made by the learner.

    Raises:
        ModelError: a version could not be exported or published.
    """
    topics, schema = settings.topics(), flight_schema(table.names)
    Admin(settings.connection).create(settings.topic_specs())
    with Publisher(settings.connection, "modstream-seed") as publisher:

        def publish(spec: VersionSpec, artifact: bytes, alias: str) -> None:
            card = registry.publish(spec, artifact, alias=alias, reason="first version")
            publisher.send(model_event(topics, card, "publish", alias=alias))

        for name in settings.candidates:
            if name in CANDIDATE_PIPELINES:
                build = CANDIDATE_PIPELINES[name]
                publish(*build_candidate(table.flights, notify, name, build, schema), name)
            elif name in (BOOSTED, ONCE):
                used = table.names if name == BOOSTED else table.label_names
                publish(*build_boosted(table, notify, name, used), name)
        first = registry.card(ONLINE, BOOSTED)
        registry.promote(ONLINE, first.version, CHAMPION)
        publisher.send(model_event(topics, first, "publish", alias=CHAMPION))
