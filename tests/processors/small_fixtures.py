"""Small real models and records for the handlers' tests."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from river import linear_model, preprocessing
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import LogisticRegression

from modstream.broker.wire.codec import decode_answer
from modstream.broker.wire.records import Record
from modstream.models.errors import ModelNotFound, PredictError
from modstream.models.runtimes.river.runtime import pack
from modstream.models.runtimes.runtime import load
from modstream.models.schema.artifact import sha256_of
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Feature, InputSchema

SCHEMA = InputSchema(
    features=(
        Feature(name="x", kind="float", low=-1000, high=1000),
        Feature(name="city", kind="string"),
    )
)
NUMBERS = InputSchema.floats(["a", "b"])


def card(name="m", version=1, runtime="river", schema=SCHEMA, artifact=b"", **facts):
    facts = {"task": "binary", "classes": (False, True), **facts}
    return ModelCard(
        name=name,
        version=version,
        runtime=runtime,
        input_schema=schema,
        sha256=sha256_of(artifact),
        size=len(artifact),
        created=datetime(2026, 1, 1, tzinfo=UTC),
        **facts,
    )


@dataclass
class Loaded:
    card: ModelCard
    runtime: object


def river(name="m", version=1, schema=SCHEMA):
    """An untrained River pipeline: it answers 0.5 until it has learned."""
    from_strings = preprocessing.OneHotEncoder()
    model = (
        from_strings | linear_model.LogisticRegression()
        if schema is SCHEMA
        else preprocessing.StandardScaler() | linear_model.LogisticRegression()
    )
    artifact = pack(model)
    known = card(name, version, "river", schema, artifact)
    return Loaded(known, load(artifact, known))


def iris(name="iris", version=1):
    """A scikit-learn classifier of three classes on two numbers, as ONNX."""
    rows = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]] * 10)
    model = LogisticRegression().fit(rows, ["a", "b", "c"] * 10)
    exported = convert_sklearn(
        model,
        initial_types=[("features", FloatTensorType([None, 2]))],
        options={id(model): {"zipmap": False}},
    )
    artifact = exported.SerializeToString()
    known = card(
        name, version, "onnx", NUMBERS, artifact, task="multiclass", classes=("a", "b", "c")
    )
    return Loaded(known, load(artifact, known))


@dataclass
class Fussy:
    """A runtime that cannot stand one value, whatever else is in the batch, and counts calls."""

    hates: float
    calls: int = 0
    name: str = "fussy"

    def predict(self, batch):
        self.calls += 1
        if self.hates in batch.columns["a"]:
            raise PredictError(self.name, f"{self.hates:g} is beyond it")
        return np.where(batch.columns["b"] == 666, np.nan, batch.columns["a"] / 100)


def fussy(hates, name="fussy"):
    return Loaded(card(name, schema=NUMBERS, runtime="fussy"), Fussy(hates))


@dataclass
class Shelf:
    """The models a test puts on it."""

    models: dict[str, Loaded]
    asked: list[tuple[str, object]] = field(default_factory=list)

    def get(self, name, ref="champion"):
        self.asked.append((name, ref))
        if name not in self.models or ref not in ("champion", 1, "1"):
            raise ModelNotFound(name, ref)
        return self.models[name]


def record(value, offset=0, key=b"k", headers=(), topic="s.requests", partition=2):
    return Record(topic, partition, offset, key, value, headers, 1000)


def answers(outgoing):
    """The answers among some outgoing records, decoded."""
    return [
        decode_answer(Record(o.topic, 0, 0, o.key, o.value, o.headers))
        for o in outgoing
        if o.topic.endswith(".predictions")
    ]
