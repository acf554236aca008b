"""Small real models, and records, for the tests of the request handlers."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from river import linear_model, preprocessing
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import LogisticRegression

from modstream.broker.wire.codec import decode_response
from modstream.broker.wire.records import Record
from modstream.models.errors import PredictError
from modstream.models.registry.errors import ModelNotFound
from modstream.models.runtimes.river.runtime import pack
from modstream.models.runtimes.runtime import load
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Feature, InputSchema

SCHEMA = InputSchema(
    features=(
        Feature(name="x", kind="float", low=-1000, high=1000),
        Feature(name="city", kind="string"),
    )
)
TWO_FLOATS = InputSchema.of_floats(["a", "b"])


def make_card(name="m", version=1, runtime="river", schema=SCHEMA, artifact=b"", **fields):
    fields = {"task": "binary", "classes": (False, True), **fields}
    return ModelCard(
        name=name,
        version=version,
        runtime=runtime,
        input_schema=schema,
        sha256=Artifact(artifact).sha256,
        size=len(artifact),
        created=datetime(2026, 1, 1, tzinfo=UTC),
        **fields,
    )


@dataclass
class StubLoadedModel:
    """A loaded model as the handlers see it."""

    card: ModelCard
    runtime: object


def river_model(name="m", version=1, schema=SCHEMA):
    """Return an untrained River pipeline, whose output is 0.5."""
    one_hot = preprocessing.OneHotEncoder()
    model = (
        one_hot | linear_model.LogisticRegression()
        if schema is SCHEMA
        else preprocessing.StandardScaler() | linear_model.LogisticRegression()
    )
    artifact = pack(model)
    card = make_card(name, version, "river", schema, artifact)
    return StubLoadedModel(card, load(Artifact(artifact), card))


def iris_model(name="iris", version=1):
    """Return a scikit-learn classifier of three classes on two numbers, as ONNX."""
    rows = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]] * 10)
    model = LogisticRegression().fit(rows, ["a", "b", "c"] * 10)
    exported = convert_sklearn(
        model,
        initial_types=[("features", FloatTensorType([None, 2]))],
        options={id(model): {"zipmap": False}},
    )
    artifact = exported.SerializeToString()
    card = make_card(
        name, version, "onnx", TWO_FLOATS, artifact, task="multiclass", classes=("a", "b", "c")
    )
    return StubLoadedModel(card, load(Artifact(artifact), card))


@dataclass
class RejectingRuntime:
    """A runtime that counts calls and fails on any batch that contains one value."""

    rejected_value: float
    calls: int = 0
    name: str = "fussy"

    def predict(self, batch):
        self.calls += 1
        if self.rejected_value in batch.columns["a"]:
            raise PredictError(self.name, f"{self.rejected_value:g} is rejected")
        return np.where(batch.columns["b"] == 666, np.nan, batch.columns["a"] / 100)


def rejecting_model(rejected_value, name="fussy"):
    return StubLoadedModel(
        make_card(name, schema=TWO_FLOATS, runtime="fussy"), RejectingRuntime(rejected_value)
    )


@dataclass
class StubModelProvider:
    """Provides the models of a test and records the requested ones."""

    models: dict[str, StubLoadedModel]
    requested: list[tuple[str, object]] = field(default_factory=list)

    def get(self, name, ref="champion"):
        self.requested.append((name, ref))
        if name not in self.models or ref not in ("champion", 1, "1"):
            raise ModelNotFound(name, ref)
        return self.models[name]


def make_record(value, offset=0, key=b"k", headers=(), topic="s.requests", partition=2):
    return Record(topic, partition, offset, key, value, headers, 1000)


def decode_responses(outgoing):
    """Return the decoded responses among some produced records."""
    return [
        decode_response(Record(o.topic, 0, 0, o.key, o.value, o.headers))
        for o in outgoing
        if o.topic.endswith(".predictions")
    ]
