"""Models that take the columns before the steps: one definition in batch and in the artifact."""

import numpy as np
import onnxruntime as ort
import pandas as pd
import pyarrow as pa
import pytest
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from modstream.datasets.catalogue import Catalogue
from modstream.datasets.dataset import Provenance
from modstream.datasets.errors import StepsInvalid
from modstream.datasets.staged_version import Description
from modstream.models.datasets.wrangle_steps import WrangleSteps
from modstream.models.errors import StepsNotServable
from modstream.models.importers.description import ModelDescription
from modstream.models.importers.imported_model import ImportedModel
from modstream.models.importers.onnx.importer import import_onnx
from modstream.models.importers.sklearn import import_sklearn
from modstream.models.runtimes.runtime import load, predict_batch
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.input_schema import Feature
from modstream.models.trial.process import TrialProcess
from modstream.models.trial.settings import TrialLimits
from modstream.operations.datasets.served_steps import (
    ServedSteps,
    precede_model,
    read_served_steps,
)
from modstream.operations.datasets.wrangle import wrangle_dataset
from modstream.registry.publishing import try_model

pytestmark = pytest.mark.slow

STEPS = WrangleSteps.model_validate(
    {
        "step": [
            {"rename": {"gust": "wind_gust"}},
            {"fill": {"wind_gust": {"with": "median"}}},
            {"combine": {"route": ["origin", "number"]}},
            {"derive": {"gusty": "wind_gust / speed", "late_hour": "float(hour % 12 > 6)"}},
            {"clip": {"gusty": [0, 3]}},
        ]
    }
)


def raw_table(size=400, seed=0):
    rng = np.random.default_rng(seed)
    gust = rng.gamma(2, 10, size)
    gust[rng.random(size) < 0.2] = np.nan
    return pa.table(
        {
            "origin": pa.array(rng.choice(["EWR", "JFK"], size).tolist(), pa.string()),
            "number": pa.array(rng.integers(1, 4, size)),
            "gust": pa.array(gust, from_pandas=True),
            "speed": pa.array(rng.integers(1, 30, size).astype(float)),
            "hour": pa.array(rng.integers(0, 24, size)),
            "late": pa.array(rng.random(size) < 0.4),
        }
    )


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    found = Catalogue(tmp_path_factory.mktemp("data"))
    with found.create("flights") as staged:
        staged.write_table(raw_table())
        staged.commit(Description(Provenance(operation="ingest", source="test"), label="late"))
    wrangle_dataset(found, found.open("flights"), STEPS, "early")
    return found


FEATURES = ["route", "gusty", "late_hour"]


@pytest.fixture(scope="module")
def frame(catalogue):
    return catalogue.open("early").read_frame()


def encoded(*models):
    encoder = ColumnTransformer(
        [("words", OneHotEncoder(handle_unknown="ignore"), ["route"])], remainder="passthrough"
    )
    return make_pipeline(encoder, *models)


def trees(frame):
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = ColumnTransformer([("words", encoder, ["route"])], remainder="passthrough")
    model = GradientBoostingClassifier(n_estimators=5, random_state=0)
    return make_pipeline(columns, model).fit(frame[FEATURES], frame["late"])


def linear(frame):
    return encoded(LogisticRegression()).fit(frame[FEATURES], frame["late"])


def answers(imported, rows):
    artifact = Artifact(imported.artifact)
    card = imported.spec.make_card(1, artifact)
    outputs, answered = predict_batch(
        load(artifact, card), card, card.input_schema.parse_rows(rows).batch
    )
    return outputs, answered


@pytest.mark.parametrize("make", [trees, linear])
def test_the_artifact_alone_answers_the_rows_as_they_were_before_the_steps(make, catalogue, frame):
    model = make(frame)
    imported = precede_model(
        import_sklearn("late", model), read_served_steps("early", catalogue, (), ())
    )
    raw = catalogue.open("flights").read_table().to_pylist()

    outputs, answered = answers(imported, raw)

    assert imported.spec.input_schema.names == ("origin", "number", "gust", "speed", "hour")
    assert answered.all()
    expected = model.predict_proba(frame[FEATURES])[:, 1]
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    session = ort.InferenceSession(imported.artifact, providers=["CPUExecutionProvider"])
    batch = imported.spec.input_schema.parse_rows(raw).batch
    feeds = {name: column.reshape(-1, 1) for name, column in batch.columns.items()}
    plain = session.run(None, feeds)[-1][:, 1]
    np.testing.assert_array_equal(plain.astype(np.float64), outputs)


def test_a_row_on_which_a_step_fails_has_no_answer_and_an_unknown_word_has_one(catalogue, frame):
    imported = precede_model(
        import_sklearn("late", trees(frame)), read_served_steps("early", catalogue, (), ())
    )
    fine = {"origin": "EWR", "number": 1, "gust": 10.0, "speed": 5.0, "hour": 3}
    rows = [fine, fine | {"speed": 0.0}, fine | {"origin": "nowhere"}, fine | {"gust": None}]

    _, answered = answers(imported, rows)

    assert answered.tolist() == [True, False, True, True]


def test_the_version_passes_its_trial_against_the_model_after_the_steps(catalogue, frame):
    imported = precede_model(
        import_sklearn("late", linear(frame)), read_served_steps("early", catalogue, (), ())
    )
    with TrialProcess(TrialLimits()) as trials:
        tried = try_model(imported, trials)
    assert tried.difference is not None
    assert tried.difference < 1e-6
    assert "5 wrangling steps" in tried.spec.note
    assert set(tried.card.sample_rows[0]) == {"origin", "number", "gust", "speed", "hour"}


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_a_graph_of_an_older_opset_is_lifted_to_what_the_steps_need(opset, catalogue, frame):
    types = [("route", StringTensorType([None, 1]))] + [
        (name, FloatTensorType([None, 1])) for name in FEATURES[1:]
    ]
    model = trees(frame)
    options = {id(model): {"zipmap": False}}
    graph = convert_sklearn(
        model, initial_types=types, options=options, target_opset={"": opset, "ai.onnx.ml": 3}
    )
    imported = precede_model(
        import_onnx("late", graph.SerializeToString()),
        read_served_steps("early", catalogue, (), ()),
    )
    outputs, _ = answers(imported, catalogue.open("flights").read_table().to_pylist())
    np.testing.assert_allclose(outputs, model.predict_proba(frame[FEATURES])[:, 1], atol=1e-5)


def test_a_matrix_of_features_is_filled_in_the_order_of_the_last_step(tmp_path):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"a": rng.normal(size=200), "b": rng.normal(size=200)})
    model = RandomForestRegressor(n_estimators=3, random_state=0)
    model.fit(np.column_stack([frame["a"] * 2, frame["b"]]), frame["a"] - frame["b"])
    graph = convert_sklearn(model, initial_types=[("in", FloatTensorType([None, 2]))])
    path = tmp_path / "steps.toml"
    path.write_text('[[step]]\nderive = { double = "a * 2" }\n[[step]]\nkeep = ["double", "b"]\n')
    columns = [Feature(name=name, kind="float") for name in ("a", "b")]
    served = read_served_steps(str(path), Catalogue(tmp_path), columns, frame.to_dict("records"))
    own = ModelDescription(features=served.features_after())
    imported = precede_model(import_onnx("sum", graph.SerializeToString(), description=own), served)
    outputs, _ = answers(imported, frame.to_dict("records"))
    expected = model.predict(np.column_stack([frame["a"] * 2, frame["b"]]).astype(np.float32))
    np.testing.assert_allclose(outputs, expected, rtol=1e-6)


def test_a_model_that_is_no_graph_is_refused(frame, catalogue):
    imported = import_sklearn("late", linear(frame))
    other = ImportedModel(imported.spec.model_copy(update={"runtime": "sklearn"}), b"")
    with pytest.raises(StepsNotServable, match="run by sklearn"):
        precede_model(other, read_served_steps("early", catalogue, (), ()))


def test_rows_that_all_fail_are_not_taken_for_a_proof(frame, catalogue):
    served = read_served_steps("early", catalogue, (), ())
    failing = [dict(row, speed=0.0) for row in served.rows[:5]]
    with pytest.raises(StepsNotServable, match="--sample"):
        precede_model(
            import_sklearn("late", linear(frame)),
            ServedSteps(served.steps, served.columns, failing),
        )


def test_a_data_set_that_no_steps_made_is_refused(catalogue):
    with pytest.raises(StepsInvalid, match="not made by wrangling"):
        read_served_steps("flights", catalogue, (), ())
