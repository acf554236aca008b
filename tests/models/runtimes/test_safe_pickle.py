"""Pickles of River models: what may be loaded, and that models survive it."""

import ast
import inspect
import pickle
import random
import sys
import textwrap
from pkgutil import resolve_name

import numpy as np
import pytest
import river
from river import compose, linear_model, multiclass, preprocessing
from river.base import AnomalyDetector, Base, Classifier
from river.time_series.base import Forecaster

from modstream.models import transformers
from modstream.models.errors import ForbiddenGlobal, UnreadableArtifact
from modstream.models.runtimes.river import pickle_values
from modstream.models.runtimes.river.allowed_globals_0_26 import RIVER_GLOBALS
from modstream.models.runtimes.river.artifact import pack, unpack
from modstream.models.runtimes.river.safe_pickle import (
    _RestrictedUnpickler,
    dumps_checked,
    loads,
)
from modstream.models.transformers import Clip, Crosses
from tests.models import hostile_artifacts
from tests.models.river_models import random_rows, train, untrained_models
from tests.models.river_parts import NEVER_STORED, classes_of_families, globals_of, parts
from tests.zoo.river_models import trained_at_stages as zoo_models

VALUES = "modstream.models.runtimes.river.pickle_values"
RESTORED = ("array", "iterator", "method", "number", "random_state")
_WITHOUT_PROBABILITIES = (linear_model.Perceptron, multiclass.OneVsOneClassifier)
MODELS = {name: train(name, model) for name, model in untrained_models().items()}


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


@pytest.mark.slow
def test_the_allow_list_is_exactly_what_the_models_need():
    models = [*MODELS.values(), *parts(), *zoo_models()]
    needed = classes_of_families().union(*map(globals_of, models))

    assert {name for name in needed if not NEVER_STORED.search(name)} == RIVER_GLOBALS, (
        f"review this for River {river.__version__}"
    )


def test_the_allow_list_has_only_classes_and_known_functions():
    targets = {name: resolve_name(name) for name in RIVER_GLOBALS}

    functions = {name for name, target in targets.items() if not isinstance(target, type)}

    assert functions == {
        "copy:deepcopy",
        "river.forest.online_extra_trees:ExtraTrees._detection_mode_all",
        "river.naive_bayes.gaussian:GaussianNB._make_gaussian",
        "river.tree.splitter.ebst_splitter:EBSTNode._update_estimator_univariate",
        "river.tree.splitter.ebst_splitter:EBSTNode._update_estimator_multivariate",
        "river._river_rust.vectordict:euclidean_distance_dict",
        "river._river_rust.vectordict:euclidean_distance_tuple",
        "river.feature_extraction.vectorize:find_all_ngrams",
        "river.feature_extraction.vectorize:remove_stop_words",
        "river.feature_extraction.vectorize:strip_accents_unicode",
        "river.feature_extraction.vectorize:tokenize_using_regex_pattern",
        "river.metrics.mutual_info:_average_arithmetic",
        "river.utils.math:minkowski_distance",
        *(f"math:{name}" for name in ("exp", "expm1", "log", "log1p", "sqrt")),
        *(f"{VALUES}:restore_{kind}" for kind in RESTORED),
    }


SUSPICIOUS = frozenset(
    {
        *("open", "eval", "exec", "compile", "__import__", "globals", "input", "breakpoint"),
        *("os", "subprocess", "importlib", "pickle", "socket", "shutil", "ctypes"),
        *("pathlib", "Path", "urllib", "requests", "tempfile", "builtins"),
    }
)


@pytest.mark.slow
def test_no_global_on_the_allow_list_opens_files_imports_modules_or_evaluates_code():
    used = {}
    for name in sorted(RIVER_GLOBALS):
        if name.startswith("river.") and "_rust" not in name:
            source = textwrap.dedent(inspect.getsource(resolve_name(name)))
            nodes = ast.walk(ast.parse(source))
            names = {node.id for node in nodes if isinstance(node, ast.Name)}
            used[name] = names & SUSPICIOUS

    assert {name: found for name, found in used.items() if found} == {}


@pytest.mark.parametrize(
    ("dtype", "data"),
    [
        (np.dtype(object), [print]),
        (np.dtype([("a", object)]), [(1,)]),
        (np.dtype("V8"), [b"x"]),
        (np.dtype("M8[s]"), [0]),
    ],
    ids=str,
)
def test_arrays_of_anything_but_numbers_are_not_written(dtype, data):
    model = linear_model.LogisticRegression()
    model.array = np.array(data, dtype)

    with pytest.raises(ForbiddenGlobal, match="numpy:dtype"):
        dumps_checked(model)


@pytest.mark.parametrize(
    "value",
    [
        *(np.float32(0.1), np.int64(-3), np.bool_(True), np.uint8(7), np.str_("a")),
        *(np.array(2.5), np.empty((0, 3)), np.arange(6.0).reshape(2, 3)),
        np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
        np.arange(4, dtype=">f8"),
    ],
    ids=repr,
)
def test_numbers_of_numpy_are_read_as_they_were(value):
    model = linear_model.LogisticRegression()
    model.value = value

    found = loads(dumps_checked(model)).value

    assert np.array_equal(found, value)
    assert isinstance(value, np.str_) or found.dtype == value.dtype.newbyteorder("=")
    assert isinstance(value, np.str_) or found.flags.f_contiguous == value.flags.f_contiguous


def test_a_random_state_continues_where_it_was():
    model = linear_model.LogisticRegression()
    model.random = np.random.RandomState(3)
    model.random.normal(size=5)

    found = loads(dumps_checked(model)).random

    assert found.normal(size=5).tolist() == model.random.normal(size=5).tolist()


def test_a_method_that_no_model_stores_is_not_written():
    model = linear_model.LogisticRegression()
    model.method = model.learn_one

    with pytest.raises(ForbiddenGlobal, match=r"LogisticRegression\.learn_one"):
        dumps_checked(model)


@pytest.mark.parametrize(
    ("model", "culprit"),
    [
        (preprocessing.LDA(), "river.preprocessing.lda:LDA"),
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


def test_a_model_may_be_pickled_in_one_thread_while_another_loads_one(monkeypatch):
    pickled = dumps_checked(preprocessing.StandardScaler())
    restore = _RestrictedUnpickler.restore_globals
    if "__slotnames__" in vars(preprocessing.StandardScaler):
        del preprocessing.StandardScaler.__slotnames__

    def restore_after_another_thread_has_pickled(unpickler):
        pickle.dumps(preprocessing.StandardScaler())
        return restore(unpickler)

    monkeypatch.setattr(
        _RestrictedUnpickler, "restore_globals", restore_after_another_thread_has_pickled
    )

    assert isinstance(loads(pickled), preprocessing.StandardScaler)


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


class Call:
    """An object that is pickled as the call of a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "call",
    [
        Call(pickle_values.restore_method, str, "__subclasses__"),
        Call(pickle_values.restore_method, str.lower, "__objclass__"),
        Call(pickle_values.restore_method, pickle_values.restore_method, "__globals__"),
        Call(pickle_values.restore_method, linear_model.LogisticRegression(), "learn_one"),
        Call(pickle_values.restore_method, random.Random(), "seed"),
    ],
    ids=lambda call: str(call.call[1][1]),
)
def test_an_artifact_reaches_no_other_attribute_through_restored_methods(call):
    with pytest.raises(ForbiddenGlobal, match="not on the allow-list"):
        loads(pickle.dumps(call))


@pytest.mark.parametrize(
    "arguments",
    [
        ("O", (1,), "C", b"12345678"),
        ("|O", (1,), "C", b"12345678"),
        ("V8", (1,), "C", b"12345678"),
        ("<f8", (1,), "C", "12345678"),
        ("<f8", (2,), "C", b"12345678"),
        ("<f8", (-1, 0), "C", b"12345678"),
        ("<f8", (1,), "K", b"12345678"),
        ("<f8", [1 << 62, 1 << 62], "C", b"12345678"),
        (["<f8"], (1,), "C", b"12345678"),
    ],
    ids=str,
)
def test_an_artifact_restores_no_array_that_is_not_of_its_numbers(arguments):
    with pytest.raises(UnreadableArtifact):
        loads(pickle.dumps(Call(pickle_values.restore_array, *arguments)))
