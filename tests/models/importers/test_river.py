"""Import of River models with a description of their features."""

import pickle

import pytest
from river import anomaly, compose, dummy, linear_model, naive_bayes, preprocessing, time_series

from modstream.models.errors import ForbiddenGlobal, NotConvertible, PickleNotTrusted
from modstream.models.importers.import_file import import_file
from modstream.models.importers.river import RiverDescription
from modstream.models.runtimes.river.artifact import pack
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
            RiverDescription(NUMBER_FEATURE),
            "binary",
            (False, True),
        ),
        (
            dummy.NoChangeClassifier(),
            RiverDescription(NUMBER_FEATURE, ("n", "y")),
            "binary",
            ("n", "y"),
        ),
        (
            naive_bayes.GaussianNB(),
            RiverDescription(NUMBER_FEATURE, (1, 2, 3)),
            "multiclass",
            (1, 2, 3),
        ),
        (
            preprocessing.StandardScaler() | linear_model.LinearRegression(),
            *(RiverDescription(NUMBER_FEATURE), "regression", ()),
        ),
        (
            preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=1),
            *(RiverDescription(NUMBER_FEATURE), "anomaly", ()),
        ),
        (time_series.SNARIMAX(p=1, d=0, q=0), RiverDescription(PERIOD_AND_HORIZON), "forecast", ()),
    ],
)
def test_every_kind_of_river_model_is_imported_and_loads(
    tmp_path, model, description, task, classes
):
    path = tmp_path / "model.river"
    path.write_bytes(pack(model))

    spec, artifact = import_file("m", path, trust_pickle=False, description=description)

    assert (spec.task, spec.classes, spec.runtime) == (task, classes, "river")
    assert load(Artifact(artifact), spec.make_card(1, Artifact(artifact))).name == "river"


def test_the_last_period_of_a_forecaster_is_kept(tmp_path):
    path = tmp_path / "model.river"
    path.write_bytes(pack(time_series.SNARIMAX(p=1, d=0, q=0), last_period=41))

    _, artifact = import_file(
        "m", path, trust_pickle=False, description=RiverDescription(PERIOD_AND_HORIZON)
    )

    assert b'"period":41' in artifact.partition(b"\n")[0]


def test_a_pickled_river_model_has_to_be_trusted(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(linear_model.LogisticRegression()))

    with pytest.raises(PickleNotTrusted):
        import_file("m", path, trust_pickle=False, description=RiverDescription(NUMBER_FEATURE))
    spec, _ = import_file(
        "m", path, trust_pickle=True, description=RiverDescription(NUMBER_FEATURE)
    )

    assert spec.note == "LogisticRegression"


def test_a_river_model_without_described_features_is_rejected(tmp_path):
    path = tmp_path / "model.river"
    path.write_bytes(pack(linear_model.LogisticRegression()))

    with pytest.raises(
        NotConvertible, match="does not record its features; name each with --feature"
    ):
        import_file("m", path, trust_pickle=False)


def test_a_river_transformer_is_rejected(tmp_path):
    path = tmp_path / "model.river"
    path.write_bytes(pack(preprocessing.StandardScaler()))

    with pytest.raises(
        NotConvertible, match="StandardScaler cannot be exported: it is not a classifier"
    ):
        import_file("m", path, trust_pickle=False, description=RiverDescription(NUMBER_FEATURE))


def test_a_river_model_with_a_custom_function_is_rejected(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(compose.FuncTransformer(len) | linear_model.LinearRegression()))

    with pytest.raises(ForbiddenGlobal):
        import_file("m", path, trust_pickle=True, description=RiverDescription(NUMBER_FEATURE))
