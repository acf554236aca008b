import io
import pickle
from pkgutil import resolve_name

import pytest
import river
from river import compose, linear_model, multiclass
from river.base import AnomalyDetector, Base, Classifier
from river.time_series.base import Forecaster

from modstream.models.errors import ForbiddenGlobal, UnreadableArtifact
from modstream.models.runtimes.river.allowed_globals_0_26 import RIVER_GLOBALS
from modstream.models.runtimes.river.safe_pickle import dumps_checked, loads
from tests.models.river_models import rows, trained, zoo

_WITHOUT_PROBABILITIES = (linear_model.Perceptron, multiclass.OneVsOneClassifier)
MODELS = {name: trained(name, model) for name, model in zoo().items()}


class Recorder(pickle.Unpickler):
    """Collects the globals that a pickle refers to."""

    def __init__(self, pickled: bytes) -> None:
        super().__init__(io.BytesIO(pickled))
        self.names: set[str] = set()

    def find_class(self, module: str, name: str):
        self.names.add(f"{module}:{name}")
        return super().find_class(module, name)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_the_zoo_comes_back_as_it_was(name):
    model = MODELS[name]

    again = loads(dumps_checked(model))

    assert pickle.dumps(again) == pickle.dumps(pickle.loads(pickle.dumps(model)))
    for row in rows(name, 20, seed=1):
        assert _answer(again, row) == _answer(model, row)


@pytest.mark.parametrize("name", MODELS)
def test_no_model_of_the_zoo_learns_from_being_asked(name):
    before = pickle.dumps(MODELS[name])

    for row in rows(name, 20, seed=1):
        _answer(MODELS[name], row)

    assert pickle.dumps(MODELS[name]) == before


def test_the_allow_list_is_what_the_zoo_needs_and_no_more():
    needed = set()
    for model in MODELS.values():
        recorder = Recorder(pickle.dumps(model, protocol=5))
        recorder.load()
        needed |= recorder.names

    assert needed == RIVER_GLOBALS, f"review this for River {river.__version__}"


def test_the_allow_list_has_classes_and_five_known_functions():
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
def test_a_model_that_could_not_be_loaded_back_is_not_published(model, culprit):
    with pytest.raises(ForbiddenGlobal, match=culprit):
        dumps_checked(model)


def test_a_model_that_cannot_be_pickled_is_not_published():
    model = linear_model.LogisticRegression()
    model.callback = lambda: None

    with pytest.raises(UnreadableArtifact, match="lambda"):
        dumps_checked(model)


def _answer(model: Base, row: dict) -> object:
    last = getattr(model, "_last_step", model)
    if isinstance(last, Forecaster):
        return model.forecast(horizon=5)
    if isinstance(last, AnomalyDetector):
        return model.score_one(row)
    if isinstance(last, Classifier) and not isinstance(last, _WITHOUT_PROBABILITIES):
        return model.predict_proba_one(row)
    return model.predict_one(row)
