"""Import of scikit-learn models: served as the library predicts, or refused with a reason."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import DBSCAN, Birch, KMeans, MeanShift
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.manifold import ClassicalMDS
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KernelDensity, KNeighborsClassifier, LocalOutlierFactor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    LabelEncoder,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from modstream.models.errors import NotConvertible, OptionNotSupported
from modstream.models.importers.description import ModelDescription
from modstream.models.importers.imported_model import ImportedModel
from modstream.models.importers.sklearn import import_sklearn
from modstream.models.schema.input_schema import Feature
from modstream.models.schema.version_spec import VersionSpec
from modstream.processors.errors import InvalidInput, NoOutput
from modstream.processors.predict.engine import Inference
from tests.zoo.engine import ask, load_imported, row_requests
from tests.zoo.sklearn_models import ZooModel
from tests.zoo.sklearn_zoo import compare

pytestmark = pytest.mark.slow

_RNG = np.random.default_rng(0)
_X = _RNG.normal(size=(120, 3))
_SUM = _X.sum(axis=1)
_TWO = _SUM > 0
_THREE = np.digitize(_SUM, [-1.0, 1.0])
_ASKED = np.random.default_rng(1).normal(size=(10, 3)).tolist()
_ROWS = [dict(zip(["x0", "x1", "x2"], row, strict=True)) for row in _ASKED]


@pytest.fixture(autouse=True)
def no_warnings():
    """Ignore scikit-learn's warnings for small data, in fits and in expected values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def published(model: Any, **description: Any) -> ImportedModel:
    return import_sklearn("m", model, description=ModelDescription(**description))


def serves(model: Any, rows: Any = None, **description: Any) -> VersionSpec:
    """Import a model, check its answers against the library's, and return its description."""
    imported = published(model, **description)
    entry = ZooModel("m", lambda: model, rows or _ROWS, is_predictor=True)
    result = compare(entry, model, imported, load_imported(imported))
    assert result.outcome == "served", result.sentence
    return imported.spec


def answer(imported: ImportedModel, row: dict[str, Any]) -> Any:
    """Return the outputs for a row, or the reason why there are none."""
    (response,) = ask(imported, row_requests([row]))
    return response.outputs if isinstance(response, Inference) else response.reason


def meaning(spec: VersionSpec) -> tuple[Any, ...]:
    return (spec.task, spec.scores, spec.classes)


@pytest.mark.parametrize(
    ("model", "labels", "task", "scores"),
    [
        (LogisticRegression(), _TWO, "binary", "probability"),
        (LogisticRegression(), _THREE, "multiclass", "probability"),
        (SVC(), _TWO, "binary", "margin"),
        (SVC(), _THREE, "multiclass", "margin"),
        (SVC(decision_function_shape="ovo"), _THREE, "multiclass", "none"),
        (LinearSVC(), _THREE, "multiclass", "margin"),
        (RidgeClassifier(), _TWO, "binary", "margin"),
        (
            VotingClassifier([("a", LogisticRegression()), ("b", SVC())]),
            _THREE,
            "multiclass",
            "none",
        ),
        (make_pipeline(StandardScaler(), SVC()), _THREE, "multiclass", "margin"),
        (GridSearchCV(SVC(), {"C": [1.0]}, cv=2), _TWO, "binary", "margin"),
        (CalibratedClassifierCV(LinearSVC(), cv=2), _THREE, "multiclass", "probability"),
        (FixedThresholdClassifier(LogisticRegression(), threshold=0.1), _TWO, "binary", "none"),
        (StackingClassifier([("a", SVC())], cv=2, passthrough=True), _TWO, "binary", "probability"),
    ],
)
def test_the_scores_of_a_classifier_are_read_from_its_methods(model, labels, task, scores):
    spec = serves(model.fit(_X, labels))

    assert meaning(spec) == (task, scores, tuple(np.unique(labels).tolist()))


@pytest.mark.parametrize(
    "classes", [(1, 2), (-1, 1), ("no", "yes"), (False, True), (1.0, 2.0), (3, 4, 5), (7,)]
)
def test_the_models_own_classes_are_its_labels(classes):
    labels = np.array(classes)[_THREE % len(classes)]

    for model in (DecisionTreeClassifier(max_depth=3), RandomForestClassifier(2, max_depth=3)):
        spec = serves(model.fit(_X, labels))

        assert spec.classes == classes
        assert [type(one) for one in spec.classes] == [type(one) for one in classes]


def test_the_margins_of_a_support_vector_machine_are_by_class():
    iris = load_iris()
    spec = serves(SVC().fit(iris.data, iris.target), [
        dict(zip(["x0", "x1", "x2", "x3"], row, strict=True)) for row in iris.data[::17].tolist()
    ])  # fmt: skip

    assert meaning(spec) == ("multiclass", "margin", (0, 1, 2))


def test_labels_of_a_support_vector_machine_are_not_the_greatest_probabilities():
    model = SVC(probability=True, random_state=0).fit(_X[:12], _THREE[:12])
    spec = serves(model)

    agrees = (model.predict(_X) == model.classes_[model.predict_proba(_X).argmax(axis=1)]).all()
    assert spec.scores == "probability" if agrees else "margin"


@pytest.mark.parametrize(
    ("model", "targets", "names"),
    [
        (LinearRegression(), np.column_stack([_SUM, -_SUM]), {"y0": (), "y1": ()}),
        (DecisionTreeRegressor(), np.column_stack([_SUM, -_SUM]), {"y0": (), "y1": ()}),
        (
            MultiOutputClassifier(LogisticRegression()),
            np.column_stack([_THREE, _TWO.astype(int)]),
            {"y0": (0, 1, 2), "y1": (0, 1)},
        ),
        (
            DecisionTreeClassifier(),
            np.column_stack([np.array(["a", "b", "c"])[_THREE], _TWO.astype(str)]),
            {"y0": ("a", "b", "c"), "y1": ("False", "True")},
        ),
        (
            ClassifierChain(LogisticRegression()),
            np.column_stack([_THREE > 0, _TWO]).astype(int),
            {"y0": (0, 1), "y1": (0, 1)},
        ),
        (
            OneVsRestClassifier(LogisticRegression()),
            np.column_stack([_THREE > 0, _TWO]).astype(int),
            {"y0": (0, 1), "y1": (0, 1)},
        ),
        (
            MLPClassifier((3,), max_iter=20),
            np.column_stack([_THREE > 0, _TWO, _X[:, 0] > 0]).astype(int),
            {"y0": (0, 1), "y1": (0, 1), "y2": (0, 1)},
        ),
        (
            KNeighborsClassifier(),
            np.column_stack([_THREE, _THREE]),
            {"y0": (0, 1, 2), "y1": (0, 1, 2)},
        ),
    ],
)
def test_several_outputs_are_served_by_name(model, targets, names):
    spec = serves(model.fit(_X, targets))

    assert {target.name: target.classes for target in spec.targets} == names


def test_targets_of_different_types_keep_their_types():
    model = MultiOutputClassifier(DecisionTreeClassifier(max_depth=2))
    model.fit(_X, np.column_stack([_THREE, _THREE]))
    # An array of both has one type: scikit-learn itself then answers "0" for 0.
    model.estimators_[0].fit(_X, np.array(["a", "b", "c"])[_THREE])
    model.classes_ = [one.classes_ for one in model.estimators_]

    outputs = answer(published(model), _ROWS[0])

    assert isinstance(outputs["labels"]["y0"], str)
    assert isinstance(outputs["labels"]["y1"], int)


def test_a_target_in_one_column_is_an_ordinary_regression():
    assert serves(LinearRegression().fit(_X, _SUM[:, None])).task == "regression"


@pytest.mark.parametrize(
    ("model", "task", "scores"),
    [
        (KMeans(3, random_state=0), "clustering", "distance"),
        (make_pipeline(StandardScaler(), KMeans(3, random_state=0)), "clustering", "distance"),
        (MeanShift(), "clustering", "none"),
        (GaussianMixture(2, random_state=0), "clustering", "probability"),
        (IsolationForest(n_estimators=5, random_state=0), "anomaly", "probability"),
        (OneClassSVM(), "anomaly", "probability"),
        (LocalOutlierFactor(novelty=True), "anomaly", "probability"),
        (KernelDensity(), "anomaly", "probability"),
        (PCA(2), "transformation", "probability"),
        (make_pipeline(StandardScaler(), PCA(2)), "transformation", "probability"),
    ],
)
def test_models_without_labels_are_served(model, task, scores):
    spec = serves(model.fit(_X))

    assert (spec.task, spec.scores) == (task, scores)


def test_the_features_of_a_transformation_have_the_transformers_names():
    frame = pd.DataFrame({"s": ["p", "q"] * 10})
    imported = published(OneHotEncoder().set_output(transform="default").fit(frame))

    assert answer(imported, {"s": "q"}) == {"features": {"s_p": 0.0, "s_q": 1.0}}


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (
            DBSCAN().fit(_X),
            "DBSCAN .*only the rows that it was fitted on; use a clusterer with a pr",
        ),
        (LocalOutlierFactor().fit(_X), "fit it with novelty=True"),
        (DummyClassifier(strategy="stratified").fit(_X, _TWO), "is not always the same"),
        (LogisticRegression(), "it is not fitted; fit it before publishing it"),
        (LabelEncoder().fit(["a", "b"]), "does not take rows of a table"),
        ([1, 2], "it is neither .* nor a River model; pickle the fitted model itself"),
        (object(), "nor a River model; export a model of another library to ONNX"),
        (make_pipeline(TfidfVectorizer(), Ridge()), "Pipeline .*: it is not fitted; fit it before"),
        (
            make_pipeline(FunctionTransformer(np.asarray), TfidfVectorizer(), Ridge()).fit(
                ["aa bb", "bb cc", "cc dd"], [1, 2, 3]
            ),
            "FunctionTransformer, which its inputs reach first, does not say how many features",
        ),
        (Birch(n_clusters=2).fit(_X), "skops cannot store it .*: use another clusterer, such as"),
        (ClassicalMDS().fit(_X), "publish an estimator that has one"),
        (
            OneHotEncoder().fit(np.arange(2000)[:, None]),
            "it returns 2,000 features, the limit is 1,000",
        ),
    ],
)
def test_what_cannot_be_served_is_refused_with_the_reason(model, reason):
    with pytest.raises(NotConvertible, match=reason):
        published(model)


def test_samples_without_a_feature_are_refused_with_its_name():
    model = Ridge().fit(_X, _SUM)

    with pytest.raises(OptionNotSupported, match="no row has a value of the feature 'x1'"):
        published(model, samples=[{"x0": 1.0}, {"x0": 2.0}])


def test_samples_that_cannot_be_predicted_are_refused_with_one_line():
    model = make_pipeline(OrdinalEncoder(), Ridge()).fit(np.array([["a"], ["b"]], object), [1, 2])

    with pytest.raises(
        NotConvertible, match=r"none of 1 rows of --sample \(ValueError: .*\); give"
    ):
        published(model, samples=[{"x0": "unknown"}])


def doubled(values: Any) -> Any:
    return 2 * np.asarray(values)


def test_a_function_of_the_users_own_is_refused():
    model = make_pipeline(FunctionTransformer(doubled), Ridge()).fit(_X, _SUM)

    with pytest.raises(NotConvertible, match=r"workers do not load .*doubled, and no ONNX export"):
        published(model)


def test_an_estimator_of_another_library_is_refused_with_what_to_do():
    class Foreign(LogisticRegression):
        pass

    with pytest.raises(NotConvertible, match="with the converter of its own library, and publish"):
        published(Foreign().fit(_X, _TWO), scores="margin")


# Columns, categories and missing values.


def table(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"n": _X[:, 0], **columns})


def behind(encoder: Any, columns: Any, frame: pd.DataFrame, **options: Any) -> Any:
    chosen = ColumnTransformer([("c", encoder, columns)], remainder="passthrough", **options)
    return make_pipeline(chosen, LogisticRegression()).fit(frame, _TWO)


_WORDS = np.where(_X[:, 1] > 0, "red", "blue").astype(object)


@pytest.mark.slow
@pytest.mark.parametrize(
    "columns",
    [["d"], [1], [False, True], slice(1, 2), slice("d", "d"), lambda frame: ["d"]],
    ids=["name", "position", "mask", "slice", "slice of names", "callable"],
)
def test_columns_are_found_however_they_are_selected(columns):
    spec = serves(behind(OneHotEncoder(), columns, table(d=_WORDS)), [{"n": 1.5, "d": "red"}])

    assert {one.name: one.kind for one in spec.input_schema.features} == {
        "n": "float",
        "d": "string",
    }


def test_columns_inside_a_nested_pipeline_are_found():
    inner = make_pipeline(
        ColumnTransformer([("c", OneHotEncoder(), ["d"])], remainder="passthrough")
    )
    nested = make_pipeline(
        make_pipeline(inner, StandardScaler(with_mean=False)), LogisticRegression()
    )
    search = GridSearchCV(nested, {"logisticregression__C": [1.0]}, cv=2)

    spec = serves(search.fit(table(d=_WORDS), _TWO), [{"n": 1.5, "d": "red"}])

    assert [one.kind for one in spec.input_schema.features] == ["float", "string"]


def test_columns_inside_a_calibrated_pipeline_are_found():
    inner = ColumnTransformer([("c", OneHotEncoder(), ["d"])], remainder="passthrough")
    model = CalibratedClassifierCV(make_pipeline(inner, LinearSVC()), cv=2)

    spec = serves(model.fit(table(d=_WORDS), _TWO), [{"n": 1.5, "d": "red"}])

    assert [one.kind for one in spec.input_schema.features] == ["float", "string"]


def test_a_column_that_the_model_drops_is_not_asked_for():
    columns = ColumnTransformer([("c", StandardScaler(), ["n"]), ("d", "drop", ["d"])])
    model = make_pipeline(columns, LogisticRegression()).fit(table(d=_WORDS, e=_WORDS), _TWO)

    imported = published(model)

    assert imported.spec.input_schema.names == ("n",)
    expected = model.predict_proba(pd.DataFrame({"n": [0.4], "d": ["x"], "e": ["y"]}))[0, 1]
    assert answer(imported, {"n": 0.4})["probability"] == pytest.approx(expected, abs=1e-6)
    assert answer(imported, {"n": 0.4, "d": 7})["probability"] == pytest.approx(expected, abs=1e-6)


def test_a_category_that_a_strict_encoder_does_not_know_has_no_output():
    imported = published(behind(OneHotEncoder(), ["d"], table(d=_WORDS)))

    reason = answer(imported, {"n": 1.0, "d": "green"})

    assert isinstance(reason, NoOutput)
    assert "Found unknown categories ['green']" in str(reason)


@pytest.mark.parametrize(
    ("values", "kind", "row"),
    [
        (np.where(_X[:, 1] > 0, 10, 20), "int", {"n": 0.5, "d": 20}),
        (np.where(_X[:, 1] > 0, 2**60 + 1, 2**60 + 3), "int", {"n": 0.5, "d": 2**60 + 3}),
        (_X[:, 1] > 0, "bool", {"n": 0.5, "d": True}),
        (np.where(_X[:, 1] > 0, 0.5, 1.5), "float", {"n": 0.5, "d": 1.5}),
    ],
)
def test_categories_need_not_be_strings(values, kind, row):
    spec = serves(behind(OneHotEncoder(), ["d"], table(d=values)), [row])

    assert spec.input_schema.features[1].kind == kind


def test_identifiers_that_float64_cannot_tell_apart_stay_integers():
    ids = np.where(_X[:, 1] > 0, 2**60 + 1, 2**60 + 3)
    model = behind(OneHotEncoder(), ["d"], table(d=ids))
    imported = published(model)

    first, second = (
        answer(imported, {"n": 0.0, "d": one})["probability"] for one in (2**60 + 1, 2**60 + 3)
    )

    assert first != second


@pytest.mark.parametrize("gap", [None, np.nan], ids=["None", "NaN"])
def test_a_missing_category_that_the_encoder_knows_is_served(gap):
    words = _WORDS.copy()
    words[::4] = gap
    frame = pd.DataFrame({"n": _X[:, 0], "d": pd.Series(words, dtype=object)})
    model = behind(OneHotEncoder(), ["d"], frame)

    imported = published(model)

    (_, feature) = imported.spec.input_schema.features
    assert feature.missing
    expected = model.predict_proba(pd.DataFrame({"n": [0.2], "d": pd.Series([gap], dtype=object)}))
    for row in ({"n": 0.2, "d": None}, {"n": 0.2}):
        assert answer(imported, row)["probability"] == pytest.approx(expected[0, 1])


def test_numbers_beside_none_are_categories():
    frame = pd.DataFrame({"n": _X[:, 0], "k": pd.Series([1, 2, None] * 40, dtype=object)})
    encoder = ColumnTransformer([("k", OneHotEncoder(), ["k"])])
    model = make_pipeline(encoder, LogisticRegression()).fit(frame, _TWO)

    imported = published(model)

    for value in (1, 2, None):
        asked = pd.DataFrame({"n": [0.0], "k": pd.Series([value], dtype=object)})
        expected = model.predict_proba(asked)[0, 1]
        assert answer(imported, {"k": value})["probability"] == pytest.approx(expected)


def test_missing_values_are_served_where_an_imputer_fills_them():
    words, numbers = _WORDS.copy(), _X[:, 0].copy()
    words[::4], numbers[::3] = None, np.nan
    strings = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    columns = ColumnTransformer([("n", SimpleImputer(), ["n"]), ("d", strings, ["d"])])
    model = make_pipeline(columns, LogisticRegression())
    model.fit(pd.DataFrame({"n": numbers, "d": words}), _TWO)

    imported = published(model)

    assert [one.missing for one in imported.spec.input_schema.features] == [True, True]
    filled = {"n": float(np.nanmean(numbers)), "d": columns.transformers_[1][1][0].statistics_[0]}
    expected = answer(imported, filled)["probability"]
    for row in ({"n": None, "d": None}, {}, {"n": float("nan")}):
        assert answer(imported, row)["probability"] == pytest.approx(expected)


def test_null_is_refused_where_the_model_takes_no_missing_values():
    encoder = OneHotEncoder(handle_unknown="ignore")
    imported = published(behind(encoder, ["d"], table(d=_WORDS)))

    for row in ({"n": None, "d": "red"}, {"n": 1.0, "d": None}):
        assert isinstance(answer(imported, row), InvalidInput)


def test_missing_numbers_are_served_by_models_that_take_them():
    holes = _X.copy()
    holes[::5, 0] = np.nan
    boosting = HistGradientBoostingClassifier(max_iter=3).fit(holes, _TWO)
    with_gaps = DecisionTreeClassifier(max_depth=4).fit(holes, _TWO)
    without = DecisionTreeClassifier(max_depth=4).fit(_X, _TWO)
    forest = RandomForestClassifier(4, random_state=0).fit(holes, _TWO)
    linear = LogisticRegression().fit(_X, _TWO)
    rows = [*_ROWS, {"x0": None, "x1": 0.1, "x2": 0.2}]

    takes = [
        [one.missing for one in serves(model, rows).input_schema.features]
        for model in (boosting, with_gaps, without, forest)
    ]

    assert takes == [[True] * 3] * 4
    assert not any(one.missing for one in serves(linear).input_schema.features)


def test_arrays_of_objects_are_served_by_position():
    data = np.column_stack([_X[:, 0].astype(object), _WORDS])
    columns = ColumnTransformer([("n", StandardScaler(), [0]), ("d", OrdinalEncoder(), [1])])
    model = make_pipeline(columns, LogisticRegression()).fit(data, _TWO)

    spec = serves(model, [{"x0": 0.3, "x1": "red"}])

    assert {one.name: one.kind for one in spec.input_schema.features} == {
        "x0": "float",
        "x1": "string",
    }


def test_texts_are_one_feature():
    words = ["red car", "blue car", "red bike", "bike"]
    model = make_pipeline(CountVectorizer(), LogisticRegression()).fit(words, [0, 1, 0, 1])
    imported = published(model)

    assert imported.spec.input_schema.names == ("text",)
    expected = model.predict_proba(["A RED, red-car"])[0, 1]
    assert answer(imported, {"text": "A RED, red-car"})["probability"] == pytest.approx(expected)


def test_a_feature_may_have_any_name():
    names = ['size (")', "a\\b", "c d"]
    model = LogisticRegression().fit(pd.DataFrame(_X, columns=names), _TWO)

    spec = serves(model, [dict(zip(names, row, strict=True)) for row in _ASKED])

    assert spec.input_schema.names == tuple(names)


# The precision of exports.


def test_a_scale_that_float32_does_not_have_is_exported_in_float64():
    rng = np.random.default_rng(2)
    seconds = pd.DataFrame({"ts": 1.7e9 + rng.uniform(-3600, 3600, 300), "v": rng.normal(size=300)})
    late = (seconds.ts - 1.7e9) / 600 + seconds.v > 0
    model = make_pipeline(StandardScaler(), LogisticRegression(C=100)).fit(seconds, late)

    spec = serves(model, seconds.head(20).to_dict("records"))

    assert (spec.runtime, spec.fidelity.precision) == ("onnx", "float64")
    assert spec.fidelity.max_difference < 1e-9
    assert spec.input_schema.features[0].dtype is None


def test_splits_behind_a_scaler_are_not_decided_in_float32():
    model = make_pipeline(StandardScaler(), DecisionTreeRegressor(max_depth=6)).fit(_X, _SUM)
    imported = published(model)

    assert imported.spec.fidelity.precision != "float32"


def test_trees_that_compare_in_float32_themselves_are_exported_in_float32():
    spec = serves(RandomForestRegressor(4, random_state=0).fit(_X, _SUM))

    assert (spec.runtime, spec.fidelity.precision) == ("onnx", "float32")
    assert {feature.dtype for feature in spec.input_schema.features} == {"float32"}


@pytest.mark.parametrize(
    "target", [1.7e9 + 50 * _SUM, 1e-6 * _SUM, 1e12 * _SUM], ids=["offset", "small", "large"]
)
def test_the_scale_of_a_regressions_values_hides_no_difference(target):
    model = LinearRegression().fit(_X, target)
    imported = published(model)

    spread = float(np.ptp(target))
    for row in _ROWS:
        expected = float(model.predict([list(row.values())])[0])
        assert abs(answer(imported, row)["value"] - expected) < 1e-3 * spread


def test_a_model_that_skops_stores_says_so():
    spec = serves(TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1).fit(
        _X, np.exp(_SUM)))  # fmt: skip

    assert (spec.runtime, spec.fidelity.precision) == ("sklearn", "original")
    assert set(spec.libraries) == {"scikit-learn", "skops"}


def test_the_card_carries_rows_that_the_model_predicts():
    imported = published(behind(OneHotEncoder(), ["d"], table(d=_WORDS)))

    assert 1 <= len(imported.spec.sample_rows) <= 5
    assert {row["d"] for row in imported.samples.rows} == {"red", "blue"}
    assert len(imported.samples.rows) == len(imported.samples.outputs)


# What the caller says.


def test_described_classes_rename_the_models_own():
    model = SVC().fit(_X, _THREE)
    imported = published(model, classes=("low", "mid", "high"))

    outputs = answer(imported, _ROWS[0])

    (own,) = model.predict([list(_ROWS[0].values())])
    assert outputs["label"] == ("low", "mid", "high")[own]
    assert list(outputs["margins"]) == ["low", "mid", "high"]


def test_described_features_rename_and_type_the_models_own():
    features = tuple(Feature(name=name, kind="float", low=-5.0) for name in "abc")

    imported = published(LinearRegression().fit(_X, _SUM), features=features)

    assert imported.spec.input_schema.names == ("a", "b", "c")
    assert answer(imported, {"a": 1, "b": 2, "c": 3})["value"] == pytest.approx(6.0, rel=1e-5)


def test_described_features_with_the_models_own_names_may_be_in_any_order():
    frame = pd.DataFrame(_X, columns=["a", "b", "c"])
    model = LinearRegression().fit(frame, frame.a - frame.b)
    features = tuple(Feature(name=name, kind="float") for name in "cba")

    imported = published(model, features=features)

    assert answer(imported, {"a": 3, "b": 1, "c": 9})["value"] == pytest.approx(2.0, abs=1e-4)


def test_samples_are_the_rows_of_the_comparison():
    frame = pd.DataFrame({"n": _X[:, 0], "d": _WORDS})
    model = DummyClassifier(strategy="prior").fit(frame, _TWO)

    imported = published(model, samples=frame.head(20).to_dict("records"))

    assert {one.name: one.kind for one in imported.spec.input_schema.features} == {
        "n": "float",
        "d": "string",
    }
    assert imported.samples.rows[0] == {"n": _X[0, 0], "d": _WORDS[0]}


def test_described_scores_and_tasks_are_honoured():
    forest = RandomForestClassifier(3, random_state=0).fit(_X, _THREE)
    clusters = KMeans(3, random_state=0).fit(_X)

    assert meaning(serves(forest, scores="none"))[1] == "none"
    assert serves(LogisticRegression().fit(_X, _TWO), scores="margin").scores == "margin"
    assert serves(clusters, task="transformation").task == "transformation"
    assert serves(clusters, scores="none").scores == "none"


@pytest.mark.parametrize(
    ("model", "description", "option"),
    [
        (LogisticRegression(), {"task": "regression"}, "--task"),
        (RandomForestClassifier(2), {"scores": "margin"}, "--scores"),
        (LogisticRegression(), {"scores": "distance"}, "--scores"),
        (SVC(), {"scores": "probability"}, "--scores"),
        (LogisticRegression(), {"classes": ("a", "b")}, "--class"),
        (LogisticRegression(), {"classes": (2, 1, 0)}, "--class"),
        (LinearRegression(), {"classes": ("a",)}, "--class"),
        (LinearRegression(), {"scores": "margin"}, "--scores"),
        (LinearRegression(), {"features": (Feature(name="a", kind="float"),)}, "--feature"),
        (
            LinearRegression(),
            {"features": tuple(Feature(name=one, kind="float", missing=True) for one in "abc")},
            "--feature",
        ),
        (LinearRegression(), {"samples": [{"x0": 1.0, "x1": "b", "x2": 1.0}]}, "none of"),
        (LinearRegression(), {"samples": [{"x0": 1.0, "x1": True, "x2": [1]}]}, "--sample"),
    ],
)
def test_a_description_that_contradicts_the_model_is_refused(model, description, option):
    model.fit(_X, _THREE)

    with pytest.raises((OptionNotSupported, NotConvertible), match=option):
        published(model, **description)
