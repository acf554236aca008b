import random

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from modstream.models.examples.flights import FLIGHT_FEATURES, frozen_pipeline, online_pipeline
from modstream.models.importers.onnx_export import classes_of, infer_schema, to_onnx
from modstream.models.runtimes.river.runtime import pack
from modstream.models.runtimes.runtime import LearningRuntime, load
from modstream.models.schema.version_spec import Draft


def flights(n: int, seed: int) -> list[dict]:
    """Rows of the demo's form, half of them late for reasons that a model can find."""
    draw = random.Random(seed)
    made = []
    for _ in range(n):
        row = {feature.name: draw.uniform(0, 10) for feature in FLIGHT_FEATURES.features}
        made.append(
            row
            | {"carrier": draw.choice(["UA", "B6", "HA"])}
            | {"origin": draw.choice(["EWR", "JFK", "LGA"]), "dest": draw.choice("ABCDEF")}
        )
    return made


def is_late(row: dict) -> bool:
    return row["wind_gust"] + row["precip"] + 4 * (row["carrier"] == "B6") > 11


def test_the_frozen_model_exports_to_onnx_and_finds_the_late_flights():
    table = flights(600, seed=0)
    model = frozen_pipeline().fit(pd.DataFrame(table), [is_late(row) for row in table])
    golden = FLIGHT_FEATURES.batch(flights(100, seed=1))

    artifact = to_onnx(model, FLIGHT_FEATURES, golden.batch)

    draft = Draft(
        name="frozen",
        runtime="onnx",
        task="binary",
        classes=classes_of(model),
        input_schema=FLIGHT_FEATURES,
    )
    answers = load(artifact, draft.card(1, artifact)).predict(golden.batch)
    assert roc_auc_score([is_late(row) for row in golden.batch.rows()], answers) > 0.9


def test_the_schema_of_the_demo_is_the_one_that_its_model_implies():
    table = pd.DataFrame(flights(50, seed=0))[list(FLIGHT_FEATURES.names)]

    model = frozen_pipeline().fit(table, [i % 2 for i in range(50)])

    assert infer_schema(model) == FLIGHT_FEATURES


def test_the_online_model_learns_the_late_flights():
    artifact = pack(online_pipeline())
    draft = Draft(
        name="online",
        runtime="river",
        task="binary",
        classes=(False, True),
        input_schema=FLIGHT_FEATURES,
    )
    model = load(artifact, draft.card(1, artifact))
    assert isinstance(model, LearningRuntime)
    lessons, exam = (FLIGHT_FEATURES.batch(flights(n, seed=n)).batch for n in (2000, 200))
    assert model.predict(exam) == pytest.approx(0.5)

    model.learn(lessons, [is_late(row) for row in lessons.rows()])

    late = [is_late(row) for row in exam.rows()]
    assert roc_auc_score(late, model.predict(exam)) > 0.9
