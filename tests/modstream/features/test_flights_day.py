"""A day of flights with the features of the demo's file: served under kills, and computed again."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from modstream.models import examples
from modstream.models.importers.onnx_export import to_onnx
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.processors.features.files import load_features
from modstream.producers.replay.flights import CATEGORIES, FEATURES, load_flights
from tests.journeys.conftest import TIMEOUT_SECONDS, open_system, with_route
from tests.modstream.features.waiting import wait_until_counted

pytestmark = [pytest.mark.real, pytest.mark.thorough, pytest.mark.long]

MODEL = "flights"
DEFINITIONS = Path(examples.__file__).with_name("flights_features.toml")
FIRST, DAY = pd.Timestamp("2013-06-10"), pd.Timedelta("1D")
IN_FLIGHT = 20
"""Requests that wait for their answers at a time."""
KILLS = 5


def publish_model(system, names) -> None:
    """Publish a regression on the numbers of a flight and on the features of the stream."""
    inputs = [Feature(name=name, kind="float") for name in FEATURES if name not in CATEGORIES]
    inputs += [Feature(name=name, kind="float", missing=True) for name in names]
    schema = InputSchema(features=tuple(inputs))
    rows = np.random.default_rng(1).random((20, len(inputs)))
    model = make_pipeline(SimpleImputer(), LinearRegression()).fit(rows, rows.sum(axis=1))
    golden = schema.parse_rows([dict.fromkeys(schema.names, float(one)) for one in (0, 1)]).batch
    spec = VersionSpec(name=MODEL, runtime="onnx", task="regression", input_schema=schema)
    with system.registry() as registry:
        registry.publish(spec, to_onnx(model, schema, golden))


@pytest.fixture
def system(bootstrap, redis_url, prefix, tmp_path):
    with open_system(bootstrap, redis_url, prefix, tmp_path) as opened:
        found = with_route(opened, MODEL)
        found.create_topics()
        publish_model(found, load_features(DEFINITIONS).names)
        assert found.run("features", "publish", str(DEFINITIONS)).returncode == 0
        for name in ("worker", "joiner", "aggregator"):
            found.start(name, name)
        yield found


def actions(client, flights):
    """Return what happens, in the order of time: requests, and labels as flights land."""
    found = []
    for flight in flights.to_dict("records"):
        row = {name: flight[name] for name in FEATURES}
        scheduled, name, key = int(flight["scheduled_ms"]), flight["id"], flight["key"]
        ask = partial(client.send, row, id=name, key=key, event_time=scheduled)
        found.append((scheduled, ask))
        if not pd.isna(flight["landed_ms"]):
            landed, late = int(flight["landed_ms"]), bool(flight["late"])
            found.append((landed, partial(client.label, name, late, landed, key=key)))
    return [action for _, action in sorted(found, key=lambda one: one[0])]


def test_a_day_of_served_features_is_that_of_the_sources(system):
    flights = load_flights()
    day = flights[(flights["date"] >= FIRST) & (flights["date"] < FIRST + DAY)]
    client, waiting, counts = system.client(), [], []
    steps = actions(client, day)
    parts = np.array_split(np.array(steps, dtype=object), 2 * KILLS)
    for number, part in enumerate(parts):
        for step in part:
            if (asked := step()) is not None:
                waiting.append(asked)
            while len(waiting) > IN_FLIGHT:
                answer = client.wait(waiting.pop(0), TIMEOUT_SECONDS)
                counts.append(answer.features["late_count_all_24h"])
        if number % 2:
            wait_until_counted(system)
        else:
            for name in ("aggregator", "joiner", "worker"):
                system.supervisor.kill(name)
    for asked in waiting:
        client.wait(asked, TIMEOUT_SECONDS)

    found = json.loads(system.run("features", "verify", "--json").stdout)

    assert found["differing"] == 0, found["examples"]
    assert found["rows"] == len(day)
    assert found["values"] == len(day) * len(load_features(DEFINITIONS).names)
    assert max(counts) > len(day) / 2, "the labels were counted"
