"""Import of River models with a description of their features."""

import pickle

import pytest
from river import (
    anomaly,
    bandit,
    cluster,
    compose,
    drift,
    dummy,
    ensemble,
    linear_model,
    metrics,
    multiclass,
    naive_bayes,
    preprocessing,
    time_series,
)

from modstream.models.errors import NotConvertible, OptionNotSupported, PickleNotTrusted
from modstream.models.importers.description import ModelDescription
from modstream.models.importers.import_file import import_file
from modstream.models.importers.river import import_river
from modstream.models.runtimes.river.artifact import UnpackedModel, pack
from modstream.models.runtimes.runtime import load
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.input_schema import Feature

NUMBER_FEATURE = (Feature(name="x", kind="float"),)
PERIOD_AND_HORIZON = (
    Feature(name="period", kind="int"),
    Feature(name="horizon", kind="int", low=1, high=3),
)


@pytest.mark.parametrize(
    ("model", "description", "task", "classes"),
    [
        (
            linear_model.LogisticRegression(),
            ModelDescription(features=NUMBER_FEATURE),
            "binary",
            (False, True),
        ),
        (
            preprocessing.StandardScaler(),
            *(ModelDescription(features=NUMBER_FEATURE), "transformation", ()),
        ),
        (
            preprocessing.StandardScaler() | cluster.KMeans(seed=1),
            *(ModelDescription(features=NUMBER_FEATURE), "clustering", ()),
        ),
        (
            dummy.NoChangeClassifier(),
            ModelDescription(features=NUMBER_FEATURE, classes=("n", "y")),
            "binary",
            ("n", "y"),
        ),
        (
            naive_bayes.GaussianNB(),
            ModelDescription(features=NUMBER_FEATURE, classes=(1, 2, 3)),
            "multiclass",
            (1, 2, 3),
        ),
        (
            preprocessing.StandardScaler() | linear_model.LinearRegression(),
            *(ModelDescription(features=NUMBER_FEATURE), "regression", ()),
        ),
        (
            preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=1),
            *(ModelDescription(features=NUMBER_FEATURE), "anomaly", ()),
        ),
        (
            time_series.SNARIMAX(p=1, d=0, q=0),
            ModelDescription(features=PERIOD_AND_HORIZON),
            "forecast",
            (),
        ),
    ],
)
def test_every_kind_of_river_model_is_imported_and_loads(
    tmp_path, model, description, task, classes
):
    path = tmp_path / "model.river"
    path.write_bytes(pack(model))

    spec, artifact, _ = import_file("m", path, trust_pickle=False, description=description)

    assert (spec.task, spec.classes, spec.runtime) == (task, classes, "river")
    assert load(Artifact(artifact), spec.make_card(1, Artifact(artifact))).name == "river"


def test_the_last_period_of_a_forecaster_is_kept(tmp_path):
    path = tmp_path / "model.river"
    path.write_bytes(pack(time_series.SNARIMAX(p=1, d=0, q=0), last_period=41))

    _, artifact, _ = import_file(
        "m", path, trust_pickle=False, description=ModelDescription(features=PERIOD_AND_HORIZON)
    )

    assert b'"period":41' in artifact.partition(b"\n")[0]


def test_a_pickled_river_model_has_to_be_trusted(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(linear_model.LogisticRegression()))

    with pytest.raises(PickleNotTrusted):
        import_file(
            "m", path, trust_pickle=False, description=ModelDescription(features=NUMBER_FEATURE)
        )
    spec, *_ = import_file(
        "m", path, trust_pickle=True, description=ModelDescription(features=NUMBER_FEATURE)
    )

    assert spec.note == "LogisticRegression"


def test_a_river_model_without_described_features_is_rejected(tmp_path):
    path = tmp_path / "model.river"
    path.write_bytes(pack(linear_model.LogisticRegression()))

    with pytest.raises(
        NotConvertible, match="does not record its features; name each with --feature"
    ):
        import_file("m", path, trust_pickle=False)


@pytest.mark.parametrize("other", [drift.ADWIN(), metrics.Accuracy(), bandit.UCB(delta=1)])
def test_other_objects_of_river_are_no_models(tmp_path, other):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(other))

    with pytest.raises(NotConvertible, match="it predicts nothing"):
        import_file(
            "m", path, trust_pickle=True, description=ModelDescription(features=NUMBER_FEATURE)
        )


def test_a_river_model_with_a_custom_function_is_rejected_with_what_to_do(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(compose.FuncTransformer(len) | linear_model.LinearRegression()))

    with pytest.raises(
        NotConvertible, match=r"FuncTransformer is code that workers do not load: r"
    ):
        import_file(
            "m", path, trust_pickle=True, description=ModelDescription(features=NUMBER_FEATURE)
        )


def test_a_function_that_no_file_can_keep_is_rejected_with_what_to_do():
    model = compose.FuncTransformer(lambda row: row) | linear_model.LinearRegression()

    with pytest.raises(
        NotConvertible, match=r"such as a function, cannot be stored .*: replace it"
    ):
        import_river("m", UnpackedModel(model, None), ModelDescription(features=NUMBER_FEATURE))


ROW = {"x": 1.0, "y": 2.0, "city": "a"}
NUMBERS = {"x": 1.0, "y": 2.0}


def trained(model, row=NUMBERS):
    for label in (True, False, True):
        model.learn_one(row, label)
    return model


@pytest.mark.parametrize(
    ("model", "missing"),
    [
        (trained(preprocessing.StandardScaler() | linear_model.LogisticRegression()), "'y'"),
        (trained(linear_model.LogisticRegression()), "'y'"),
        (trained(linear_model.LinearRegression()), "'y'"),
        (trained(linear_model.PAClassifier()), "'y'"),
        (trained(naive_bayes.GaussianNB()), "'y'"),
        (trained(linear_model.SoftmaxRegression()), "'y'"),
        (trained(ensemble.BaggingClassifier(linear_model.LogisticRegression(), 2)), "'y'"),
        (trained(multiclass.OneVsRestClassifier(linear_model.LogisticRegression())), "'y'"),
        (compose.Select("x", "y") | linear_model.LogisticRegression(), "'y'"),
        (
            trained(
                (compose.Select("city") | preprocessing.OneHotEncoder())
                + (compose.Select("x", "y") | preprocessing.StandardScaler())
                | linear_model.LogisticRegression(),
                ROW,
            ),
            "'city', 'y'",
        ),
    ],
)
def test_a_feature_that_a_model_has_learned_must_be_described(model, missing):
    with pytest.raises(OptionNotSupported, match=f"the model has learned {missing} too"):
        import_river("m", UnpackedModel(model, None), ModelDescription(features=NUMBER_FEATURE))


def test_a_described_feature_need_not_be_learned_yet():
    model = trained(preprocessing.StandardScaler() | linear_model.LogisticRegression())
    features = tuple(Feature(name=name, kind="float") for name in ("x", "y", "new"))

    spec, *_ = import_river("m", UnpackedModel(model, None), ModelDescription(features=features))

    assert spec.input_schema.names == ("x", "y", "new")


def test_features_whose_names_are_numbers_are_rejected_with_what_to_do():
    model = trained(linear_model.LogisticRegression(), {0: 1.0, 1: 2.0})
    features = tuple(Feature(name=name, kind="float") for name in ("0", "1"))

    with pytest.raises(NotConvertible, match="0, 1 are no names: train the model with rows whose"):
        import_river("m", UnpackedModel(model, None), ModelDescription(features=features))
