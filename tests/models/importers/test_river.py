"""A River model is published with what it does not know of itself."""

import pickle

import pytest
from river import anomaly, compose, dummy, linear_model, naive_bayes, preprocessing, time_series

from modstream.models.errors import ForbiddenGlobal, NotConvertible, PickleNotTrusted
from modstream.models.importers.files import read_file
from modstream.models.importers.river import Described
from modstream.models.runtimes.river.artifact import pack
from modstream.models.runtimes.runtime import load
from modstream.models.schema.input_schema import Feature

NUMBER = (Feature(name="x", kind="float"),)
ASKED = (
    Feature(name="period", kind="int"),
    Feature(name="horizon", kind="int", low=1, high=3),
)


@pytest.mark.parametrize(
    ("model", "described", "task", "classes"),
    [
        (linear_model.LogisticRegression(), Described(NUMBER), "binary", (False, True)),
        (dummy.NoChangeClassifier(), Described(NUMBER, ("n", "y")), "binary", ("n", "y")),
        (naive_bayes.GaussianNB(), Described(NUMBER, (1, 2, 3)), "multiclass", (1, 2, 3)),
        (
            preprocessing.StandardScaler() | linear_model.LinearRegression(),
            *(Described(NUMBER), "regression", ()),
        ),
        (
            preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=1),
            *(Described(NUMBER), "anomaly", ()),
        ),
        (time_series.SNARIMAX(p=1, d=0, q=0), Described(ASKED), "forecast", ()),
    ],
)
def test_every_kind_of_river_model_is_drafted_and_loads(tmp_path, model, described, task, classes):
    path = tmp_path / "model.river"
    path.write_bytes(pack(model))

    draft, artifact = read_file("m", path, trust_pickle=False, described=described)

    assert (draft.task, draft.classes, draft.runtime) == (task, classes, "river")
    assert load(artifact, draft.card(1, artifact)).name == "river"


def test_the_last_period_of_a_series_is_kept(tmp_path):
    path = tmp_path / "model.river"
    path.write_bytes(pack(time_series.SNARIMAX(p=1, d=0, q=0), period=41))

    _, artifact = read_file("m", path, trust_pickle=False, described=Described(ASKED))

    assert b'"period":41' in artifact.partition(b"\n")[0]


def test_a_pickled_river_model_needs_somebody_who_vouches(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(linear_model.LogisticRegression()))

    with pytest.raises(PickleNotTrusted):
        read_file("m", path, trust_pickle=False, described=Described(NUMBER))
    draft, _ = read_file("m", path, trust_pickle=True, described=Described(NUMBER))

    assert draft.note == "LogisticRegression"


def test_a_river_model_without_named_features_is_refused(tmp_path):
    path = tmp_path / "model.river"
    path.write_bytes(pack(linear_model.LogisticRegression()))

    with pytest.raises(NotConvertible, match="does not know its features; name them"):
        read_file("m", path, trust_pickle=False)


def test_what_answers_nothing_is_refused(tmp_path):
    path = tmp_path / "model.river"
    path.write_bytes(pack(preprocessing.StandardScaler()))

    with pytest.raises(NotConvertible, match="StandardScaler cannot be exported"):
        read_file("m", path, trust_pickle=False, described=Described(NUMBER))


def test_a_river_model_with_code_of_its_own_is_refused(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(compose.FuncTransformer(len) | linear_model.LinearRegression()))

    with pytest.raises(ForbiddenGlobal):
        read_file("m", path, trust_pickle=True, described=Described(NUMBER))
