"""Pickles of River models: what may be loaded, and that models survive it."""

import io
import pickle
import sys
from pkgutil import resolve_name

import pytest
import river
from river import compose, linear_model, multiclass, preprocessing
from river.base import AnomalyDetector, Base, Classifier
from river.time_series.base import Forecaster

from modstream.models import transformers
from modstream.models.errors import ForbiddenGlobal, UnreadableArtifact
from modstream.models.runtimes.river.allowed_globals_0_26 import RIVER_GLOBALS
from modstream.models.runtimes.river.artifact import pack, unpack
from modstream.models.runtimes.river.safe_pickle import dumps_checked, loads
from modstream.models.transformers import Clip, Crosses
from tests.models import hostile_artifacts
from tests.models.river_models import random_rows, train, untrained_models

_WITHOUT_PROBABILITIES = (linear_model.Perceptron, multiclass.OneVsOneClassifier)
MODELS = {name: train(name, model) for name, model in untrained_models().items()}


class RecordingUnpickler(pickle.Unpickler):
    """An unpickler that records the globals a pickle refers to."""

    def __init__(self, pickled: bytes) -> None:
        super().__init__(io.BytesIO(pickled))
        self.names: set[str] = set()

    def find_class(self, module: str, name: str):
        self.names.add(f"{module}:{name}")
        return super().find_class(module, name)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_loaded_back_unchanged(name):
    model = MODELS[name]

    again = loads(dumps_checked(model))

    assert pickle.dumps(again) == pickle.dumps(pickle.loads(pickle.dumps(model)))
    for row in random_rows(name, 20, seed=1):
        assert _predict(again, row) == _predict(model, row)


@pytest.mark.parametrize("name", MODELS)
def test_predicting_does_not_change_a_model(name):
    before = pickle.dumps(MODELS[name])

    for row in random_rows(name, 20, seed=1):
        _predict(MODELS[name], row)

    assert pickle.dumps(MODELS[name]) == before


def test_the_allow_list_is_exactly_what_the_models_need():
    needed = set()
    for model in MODELS.values():
        recorder = RecordingUnpickler(pickle.dumps(model, protocol=5))
        recorder.load()
        needed |= recorder.names

    assert needed == RIVER_GLOBALS, f"review this for River {river.__version__}"


def test_the_allow_list_has_only_classes_and_five_known_functions():
    targets = {name: resolve_name(name) for name in RIVER_GLOBALS}

    functions = {name for name, target in targets.items() if not isinstance(target, type)}

    assert functions == {
        "copy:deepcopy",
        "river.forest.online_extra_trees:ExtraTrees._detection_mode_all",
        "river.naive_bayes.gaussian:GaussianNB._make_gaussian",
        "river.tree.splitter.ebst_splitter:EBSTNode._update_estimator_univariate",
        "river._river_rust.vectordict:euclidean_distance_tuple",
    }


@pytest.mark.parametrize(
    ("model", "culprit"),
    [
        (linear_model.PAClassifier(), "river.linear_model.pa:PAClassifier"),
        (compose.FuncTransformer(len), "river.compose.func:FuncTransformer"),
        (linear_model.LogisticRegression(clip_gradient=print), "builtins:print"),
    ],
)
def test_a_model_with_a_forbidden_global_is_not_written(model, culprit):
    with pytest.raises(ForbiddenGlobal, match=culprit):
        dumps_checked(model)


def test_a_model_that_cannot_be_pickled_is_not_written():
    model = linear_model.LogisticRegression()
    model.callback = lambda: None

    with pytest.raises(UnreadableArtifact, match="lambda"):
        dumps_checked(model)


@pytest.fixture
def artifact_of_former_version(monkeypatch):
    """Return an artifact written when the transformers were in the module `models.transformers`."""
    model = (
        preprocessing.StandardScaler()
        | Clip(3.0)
        | Crosses(("a", "b"))
        | linear_model.LogisticRegression()
    )
    with monkeypatch.context() as former:
        former.setitem(sys.modules, "models.transformers", transformers)
        for cls in (Clip, Crosses):
            former.setattr(cls, "__module__", "models.transformers")
        pickled = pickle.dumps(model, protocol=5)
    return hostile_artifacts.river_artifact(pickled)


def test_an_artifact_that_refers_to_a_former_module_loads(artifact_of_former_version):
    assert b"models.transformers" in artifact_of_former_version
    assert b"modstream.models.transformers" not in artifact_of_former_version

    model = unpack(artifact_of_former_version).model

    assert [type(step) for step in model.steps.values()][1:3] == [Clip, Crosses]
    assert model.predict_proba_one({"a": 1.0, "b": 2.0})
    assert b"modstream.models.transformers" in pack(model)


def _predict(model: Base, row: dict) -> object:
    last = getattr(model, "_last_step", model)
    if isinstance(last, Forecaster):
        return model.forecast(horizon=5)
    if isinstance(last, AnomalyDetector):
        return model.score_one(row)
    if isinstance(last, Classifier) and not isinstance(last, _WITHOUT_PROBABILITIES):
        return model.predict_proba_one(row)
    return model.predict_one(row)
