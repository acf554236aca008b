"""The models of the flights demo on synthetic flights."""

import random

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from modstream.models.examples.flights import FLIGHT_SCHEMA, frozen_pipeline, online_pipeline
from modstream.models.importers.onnx_export import to_onnx
from modstream.models.runtimes.river.runtime import pack
from modstream.models.runtimes.runtime import LearningRuntime, load
from modstream.models.runtimes.sklearn_introspection import infer_classes, infer_schema
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.version_spec import VersionSpec


def flights(n: int, seed: int) -> list[dict]:
    """Return random rows; about half of them are late, depending on their features."""
    rng = random.Random(seed)
    rows = []
    for _ in range(n):
        row = {feature.name: rng.uniform(0, 10) for feature in FLIGHT_SCHEMA.features}
        rows.append(
            row
            | {"carrier": rng.choice(["UA", "B6", "HA"])}
            | {"origin": rng.choice(["EWR", "JFK", "LGA"]), "dest": rng.choice("ABCDEF")}
        )
    return rows


def is_late(row: dict) -> bool:
    return row["wind_gust"] + row["precip"] + 4 * (row["carrier"] == "B6") > 11


def test_the_frozen_model_exports_to_onnx_and_predicts_late_flights():
    table = flights(600, seed=0)
    model = frozen_pipeline().fit(pd.DataFrame(table), [is_late(row) for row in table])
    golden = FLIGHT_SCHEMA.parse_rows(flights(100, seed=1))

    artifact = to_onnx(model, FLIGHT_SCHEMA, golden.batch)

    spec = VersionSpec(
        name="frozen",
        runtime="onnx",
        task="binary",
        classes=infer_classes(model),
        input_schema=FLIGHT_SCHEMA,
    )
    outputs = load(Artifact(artifact), spec.make_card(1, Artifact(artifact))).predict(golden.batch)
    assert roc_auc_score([is_late(row) for row in golden.batch.rows()], outputs) > 0.9


def test_the_demo_schema_equals_the_inferred_schema():
    table = pd.DataFrame(flights(50, seed=0))[list(FLIGHT_SCHEMA.names)]

    model = frozen_pipeline().fit(table, [i % 2 for i in range(50)])

    assert infer_schema(model) == FLIGHT_SCHEMA


def test_the_online_model_learns_to_predict_late_flights():
    artifact = pack(online_pipeline())
    spec = VersionSpec(
        name="online",
        runtime="river",
        task="binary",
        classes=(False, True),
        input_schema=FLIGHT_SCHEMA,
    )
    model = load(Artifact(artifact), spec.make_card(1, Artifact(artifact)))
    assert isinstance(model, LearningRuntime)
    training, test = (FLIGHT_SCHEMA.parse_rows(flights(n, seed=n)).batch for n in (2000, 200))
    assert model.predict(test) == pytest.approx(0.5)

    model.learn(training, [is_late(row) for row in training.rows()])

    late = [is_late(row) for row in test.rows()]
    assert roc_auc_score(late, model.predict(test)) > 0.9
