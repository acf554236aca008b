"""The first two models of the flights stream: trained, proved, published.

`frozen` learns January to March once and is exported to ONNX; `online` has seen the same flights
and goes on learning. Both are drafted here, from data that the producers room brings.
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
    FLIGHT_FEATURES,
    frozen_pipeline,
    online_pipeline,
    plain_pipeline,
    quick_pipeline,
)
from modstream.models.importers.onnx_export import to_onnx
from modstream.models.registry.registry import Registry
from modstream.models.runtimes.river.artifact import pack
from modstream.models.schema.input_schema import Batch, InputSchema
from modstream.models.schema.version_spec import Draft
from modstream.registry.events import model_event
from modstream.settings import Settings

FIRST, LAST = date(2013, 1, 1), date(2013, 4, 1)
GOLDEN_ROWS = 500
CHUNK = 2000
SLACK = 20

Tell = Callable[[str, float], None]
"""What is being done, and how much of it, 0 to 1."""

Maker = Callable[[pd.DataFrame, Tell], tuple[Draft, bytes]]


def seed(
    settings: Settings, registry: Registry, read: Callable[[], pd.DataFrame], tell: Tell
) -> list[str]:
    """Create the topics and publish the demo's models that are missing; returns their names.

    `read` gives all flights, as `modstream.producers.replay.flights.load_flights` does; it is
    asked if needed.

    Raises:
        ModelError: a model could not be exported or published.
    """
    topics = settings.topics()
    Admin(settings.connection).create(settings.specs())
    missing = [name for name in MAKERS if registry.newest(name) is None]
    if not missing:
        return []
    tell("reading flights", 0.0)
    flights = landed(read())
    with Publisher(settings.connection, "modstream-seed") as publisher:
        for name in missing:
            draft, artifact = MAKERS[name](flights, tell)
            card = registry.publish(draft, artifact, evidence="first version")
            publisher.send(model_event(topics, card, "publish", alias="champion"))
            structlog.get_logger(__name__).info("published", model=name, version=card.version)
    return missing


def landed(flights: pd.DataFrame) -> pd.DataFrame:
    """The flights of January to March that have a label, in order."""
    days = flights["date"]
    chosen = flights[(days >= pd.Timestamp(FIRST)) & (days < pd.Timestamp(LAST))]
    return chosen[chosen["late"].notna()].reset_index(drop=True)


def make_frozen(flights: pd.DataFrame, tell: Tell) -> tuple[Draft, bytes]:
    """Fit the gradient boosting, export it, compare the export on golden rows."""
    tell("fitting frozen", 0.0)
    model = frozen_pipeline()
    model.fit(flights[list(FLIGHT_FEATURES.names)], flights["late"].astype(int))
    tell("exporting frozen to ONNX", 0.8)
    artifact = to_onnx(model, FLIGHT_FEATURES, batch_of(flights.tail(GOLDEN_ROWS)))
    tell("exporting frozen to ONNX", 1.0)
    used = libraries("scikit-learn", "skl2onnx", "onnx")
    return draft("frozen", "onnx", (0, 1), used, flights), artifact


def make_online(flights: pd.DataFrame, tell: Tell) -> tuple[Draft, bytes]:
    """Let the River pipeline learn the flights once, in order."""
    return make_member(flights, tell, "online", online_pipeline)


def make_member(
    flights: pd.DataFrame, tell: Tell, name: str, build: Callable[[], Any]
) -> tuple[Draft, bytes]:
    """Let one River pipeline learn the flights once, in order, as a member of the family."""
    model = build()
    labels = flights["late"].astype(bool).tolist()
    for start in range(0, len(flights), CHUNK):
        tell(f"teaching {name}", start / len(flights))
        rows = batch_of(flights.iloc[start : start + CHUNK]).rows()
        for row, label in zip(rows, labels[start : start + CHUNK], strict=True):
            model.learn_one(row, label)
    tell(f"teaching {name}", 1.0)
    return draft("online", "river", (False, True), libraries("river"), flights), pack(model)


def seed_family(
    settings: Settings, registry: Registry, read: Callable[[], pd.DataFrame], tell: Tell
) -> None:
    """Give `online` the members of FAMILY and BATCH, which is a copy of `frozen`, if it lacks them.

    The first of FAMILY is the version that `seed` has published.

    Raises:
        ModelError: a model could not be published.
    """
    if BATCH in registry.aliases("online"):
        return
    flights, topics = landed(read()), settings.topics()
    frozen = registry.card("frozen")
    batch = Draft(**dict(frozen) | {"name": "online", "metrics": {}, "offsets": {}, "parent": None})
    first, *others = FAMILY
    registry.promote("online", registry.resolve("online"), first)
    with Publisher(settings.connection, "modstream-seed") as publisher:
        for name in others:
            made = make_member(flights, tell, name, FAMILY[name])
            card = registry.publish(*made, alias=name, evidence="first version")
            publisher.send(model_event(topics, card, "publish", alias=name))
        artifact = registry.artifact(frozen)
        card = registry.publish(batch, artifact, alias=BATCH, evidence="first version")
        publisher.send(model_event(topics, card, "publish", alias=BATCH))


FAMILY: dict[str, Callable[[], Any]] = {
    "steady": online_pipeline,
    "quick": quick_pipeline,
    "plain": plain_pipeline,
}
"""The members that learn, by alias; the first serves until another has proved better."""
BATCH = "batch"
"""The member that was trained once."""
MAKERS: dict[str, Maker] = {"frozen": make_frozen, "online": make_online}
"""How each model of the demo comes to be."""


def draft(
    name: str,
    runtime: str,
    classes: Sequence[int | bool],
    used: dict[str, str],
    flights: pd.DataFrame,
) -> Draft:
    """What is said of a first version. `learned` counts feedback rows, so it is 0."""
    rows = len(flights)
    return Draft(
        name=name,
        runtime=runtime,
        task="binary",
        classes=tuple(classes),
        input_schema=with_ranges(FLIGHT_FEATURES, batch_of(flights)),
        metrics={"learned": 0, "trained_on": rows},
        libraries=used,
        note=f"trained on {rows:,} flights from {FIRST} to before {LAST}",
    )


def batch_of(flights: pd.DataFrame) -> Batch:
    """Flights as a batch of the models' schema."""
    rows: list[dict[str, object]] = [
        dict(zip(FLIGHT_FEATURES.names, row, strict=True))
        for row in flights[list(FLIGHT_FEATURES.names)].itertuples(index=False)
    ]
    return FLIGHT_FEATURES.batch(rows).batch


def with_ranges(schema: InputSchema, batch: Batch) -> InputSchema:
    """The schema with hard limits for what may be learned: the range seen, `SLACK` times as wide.

    Weather may set records, and a learner must see them; 1e300 is no weather.
    """
    bounded = []
    for feature in schema.features:
        column = batch.columns[feature.name]
        if feature.kind != "float":
            bounded.append(feature)
            continue
        low, high = float(column.min()), float(column.max())
        span = SLACK * (high - low)
        limits = {"low": low - span, "high": high + span}
        bounded.append(feature.model_copy(update=limits))
    return InputSchema(features=tuple(bounded))


def libraries(*names: str) -> dict[str, str]:
    """The versions of what made an artifact."""
    return {name: version(name) for name in names}
