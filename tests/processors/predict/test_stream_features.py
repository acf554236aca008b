"""Features of the stream in requests: the fast path and the engine add the same values."""

import json

import numpy as np
import pytest

from modstream.broker.wire.contracts import ErrorResponse, Prediction
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.processors.aggregate.served import ServedFeatures
from modstream.processors.aggregate.updates import PartialUpdate, UpdateCodec
from modstream.processors.features.events import Event
from modstream.processors.features.files import parse_features
from modstream.processors.features.state import FeatureState
from modstream.processors.predict import state
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.stream_features import NO_FEATURES
from tests.processors.small_fixtures import (
    StubLoadedModel,
    StubModelProvider,
    decode_responses,
    make_card,
    make_record,
)

TOPICS = Topics("s")
MINUTE = 60_000
FEATURES = parse_features(
    b"""
[[features]]
name = "asked"
source = "requests"
group = ["airport", "carrier"]
window = "1h"
aggregate = "count"

[[features]]
name = "mean delay"
source = "labels"
group = ["airport"]
window = "1h"
aggregate = "mean"
value = "label"
""".replace(b"mean delay", b"mean_delay"),
    "test",
)
SCHEMA = InputSchema(
    features=(
        Feature(name="airport", kind="string"),
        Feature(name="mean_delay", kind="float", missing=True),
        Feature(name="carrier", kind="int"),
        Feature(name="asked", kind="float"),
    )
)
BASE = InputSchema(features=(SCHEMA.features[0], SCHEMA.features[2]))


class SumRuntime:
    """Predicts a probability that shows all numbers of a row; missing ones count as 9."""

    def predict(self, batch):
        columns = [c for c in batch.columns.values() if c.dtype != object]
        return sum(np.nan_to_num(c.astype(float), nan=9.0) for c in columns) / 1000


def model(name, schema):
    return StubLoadedModel(make_card(name, schema=schema), SumRuntime())


MODELS = {"plain": model("plain", BASE), "rich": model("rich", SCHEMA)}


def served():
    """Return features with two requests of A/1 and a label of A, at minute 0."""
    counted, codec = FeatureState(FEATURES), UpdateCodec(TOPICS.features, FEATURES.aggregations)
    row = {"airport": "A", "carrier": 1}
    for number in range(2):
        counted.add("o", FEATURES.contributions(Event("requests", 0, f"r{number}", row)))
    counted.add("o", FEATURES.contributions(Event("labels", 0, "r0", row, 0.1)))
    found = ServedFeatures(FEATURES, codec)
    updates = [PartialUpdate("o", key, partial) for key, partial in counted.items("o")]
    records = [codec.encode(one) for one in updates]
    found.apply(Record(r.topic, 0, 40 + at, r.key, r.value) for at, r in enumerate(records))
    return found


def answers(*values, route=("rich",), features=None):
    """Return the records that answer requests, and what is decoded of them."""
    found = served() if features is None else features
    handle = request_handler(
        TOPICS, StubModelProvider(MODELS), InferenceSettings(route), features=lambda: found
    )
    batch = [make_record(json.dumps(one).encode(), at) for at, one in enumerate(values)]
    records = handle(batch).records
    return records, decode_responses(records)


def row(airport="A", carrier=1, **more):
    return {"airport": airport, "carrier": carrier, **more}


def request(features, number=0, **fields):
    return {"id": f"r{number}", "features": features, "event_time": MINUTE, **fields}


def test_the_values_are_recorded_with_the_position_that_they_were_made_at(monkeypatch):
    monkeypatch.setattr(state, "decode_head", None)  # Only the engine uses it.
    (record,), (found,) = answers(request(row()))

    assert found.features == {"airport": "A", "carrier": 1, "mean_delay": 0.1, "asked": 2.0}
    assert found.outputs == {"probability": pytest.approx(0.0031)}
    assert dict(record.headers)[Header.FEATURES_AT] == b"42"


@pytest.mark.parametrize(
    ("features", "values"),
    [
        (row(), (0.1, 2.0)),
        (row(carrier=1.0), (0.1, 2.0)),
        (row("B"), (None, 0.0)),
        (row(carrier=2), (0.1, 0.0)),
        (row(unknown="x"), (0.1, 2.0)),
        (row(asked=7.5), (0.1, 7.5)),
        (row(asked=7.5, mean_delay=None), (None, 7.5)),
    ],
)
def test_the_fast_path_and_the_engine_add_the_same_values(features, values):
    single = request(features)
    several = request([features, features], 1)

    _, (one, both) = answers(single, several)

    rows = [one.features, *both.features]
    assert [(found["mean_delay"], found["asked"]) for found in rows] == [values] * 3
    assert list(both.outputs) == [one.outputs] * 2


def test_the_time_of_a_request_without_one_is_that_of_its_record():
    late = {"id": "a", "features": row(), "event_time": 61 * MINUTE}
    timeless = {"id": "b", "features": row()}

    _, (first, second) = answers(late, timeless)

    assert (first.features["asked"], second.features["asked"]) == (0.0, 2.0)


def test_only_the_models_that_have_the_inputs_get_them():
    records, found = answers(request(row()), route=("plain", "rich"))

    assert [one.model for one in found] == ["plain", "rich"]
    assert found[0].features == row()
    positions = [dict(one.headers).get(Header.FEATURES_AT) for one in records]
    assert positions == [None, b"42"]
    assert found[1].outputs == {"probability": pytest.approx(0.0031)}


def tensor(name, values, datatype="FP32", shape=None):
    return {
        "name": name,
        "shape": [len(values)] if shape is None else shape,
        "datatype": datatype,
        "data": values,
    }


def test_tensors_by_name_get_a_tensor_for_each_feature():
    inputs = [tensor("airport", ["A", "B"], "BYTES"), tensor("carrier", [1, 1], "INT64")]
    single = request(row())

    _, (found, alone) = answers({"id": "t", "inputs": inputs, "event_time": MINUTE}, single)

    assert [one["asked"] for one in found.features] == [2.0, 0.0]
    assert [one["mean_delay"] for one in found.features] == [0.1, None]
    (scores,) = found.outputs
    assert scores.data[0] == alone.outputs["probability"]


@pytest.mark.parametrize(
    "inputs",
    [
        [tensor("all", [1.0, 2.0], shape=[1, 2])],
        [tensor("airport", ["A"], "BYTES"), tensor("carrier", [1, 2], "INT64")],
        [tensor("airport", ["A", "B"], "BYTES", [1])],
        [tensor("airport", ["A"], "BYTES", [])],
    ],
)
def test_other_tensors_are_refused_as_they_would_be_without_features(inputs):
    asked = {"id": "t", "inputs": inputs, "event_time": MINUTE}

    _, (found,) = answers(asked)
    _, (without,) = answers(asked, features=NO_FEATURES)

    assert (found.code, found.message) == (without.code, without.message)


def test_without_definitions_the_feature_is_missing_in_the_request():
    _, (found,) = answers(request(row()), features=NO_FEATURES)

    assert isinstance(found, ErrorResponse)
    assert (found.code, "asked" in found.message) == ("missing_feature", True)


def test_a_request_that_lacks_its_own_features_gets_the_usual_error():
    _, found = answers(request({"airport": "A"}), request({}, 1), request(row(), 2))

    assert [one.code for one in found[:2]] == ["missing_feature"] * 2
    assert isinstance(found[2], Prediction)
