"""Small fitted models: every estimator of scikit-learn that takes a small table, and pipelines."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, is_classifier
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfVectorizer,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import all_estimators

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class ZooModel:
    """A model that fits itself, rows to ask it for, and whether it predicts anything.

    `rows` are of the data's own distribution, with edges. `is_text` says that the model takes the
    column "text" as an array of one dimension.
    """

    name: str
    fit: Callable[[], BaseEstimator]
    rows: Rows
    is_predictor: bool
    is_text: bool = False


_SIZE = 60
_WIDTH = 3


def _table(seed: int, size: int = _SIZE) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(size, _WIDTH))


def _numbers_to_ask(seed: int = 7) -> np.ndarray:
    """Return fresh rows and edges: zeros, large, small, and integers."""
    fresh = _table(seed, 7)
    edges = [[0, 0, 0], [30, -30, 5], [1e-7, 0.25, -1e-7], [1, 2, 3], [-4, 4, 0.5]]
    return np.vstack([fresh, edges])


def _rows(values: np.ndarray, names: Sequence[str] = ()) -> Rows:
    known = names or [f"x{at}" for at in range(values.shape[1])]
    return [dict(zip(known, row, strict=True)) for row in values.tolist()]


_X = _table(0)
_VALUE = _X @ [1.0, -2.0, 0.5] + np.sin(_X[:, 0])
_THREE = np.array(["high", "low", "mid"])[np.digitize(_VALUE, [-1.0, 1.0])]
_TWO = (_VALUE > 0).astype(int)
_PAIR = np.column_stack([_VALUE, _X[:, 0] - _X[:, 1]])
_LABELS = np.column_stack([_TWO, (_X[:, 1] > 0).astype(int)])
_POSITIVE = ("AdditiveChi2Sampler", "ComplementNB", "MultinomialNB", "CategoricalNB", "NMF")
_POSITIVE += ("MiniBatchNMF", "LatentDirichletAllocation", "BernoulliRBM", "SkewedChi2Sampler")
_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "AffinityPropagation": {"random_state": 0, "damping": 0.9, "max_iter": 500},
    "BaggingClassifier": {"n_estimators": 3},
    "BaggingRegressor": {"n_estimators": 3},
    "ColumnTransformer": {"transformers": [("a", StandardScaler(), [0, 2])]},
    "ClassifierChain": {"estimator": LogisticRegression()},
    "FeatureUnion": {"transformer_list": [("a", StandardScaler()), ("b", PCA(1))]},
    "FixedThresholdClassifier": {"estimator": LogisticRegression(), "threshold": 0.2},
    "FrozenEstimator": {"estimator": LogisticRegression().fit(_X, _THREE)},
    "GridSearchCV": {"estimator": Ridge(), "param_grid": {"alpha": [0.1, 1.0]}, "cv": 2},
    "HalvingGridSearchCV": {"estimator": Ridge(), "param_grid": {"alpha": [0.1, 1.0]}, "cv": 2},
    "HalvingRandomSearchCV": {
        "estimator": Ridge(), "param_distributions": {"alpha": [0.1, 1.0]}, "cv": 2,
    },
    "HistGradientBoostingClassifier": {"max_iter": 3},
    "HistGradientBoostingRegressor": {"max_iter": 3},
    "KernelPCA": {"fit_inverse_transform": False},
    "LocalOutlierFactor": {"novelty": True},
    "LogisticRegressionCV": {"cv": 2, "Cs": 2},
    "MLPClassifier": {"hidden_layer_sizes": (4,), "max_iter": 30},
    "MLPRegressor": {"hidden_layer_sizes": (4,), "max_iter": 30},
    "MultiOutputClassifier": {"estimator": LogisticRegression()},
    "MultiOutputRegressor": {"estimator": Ridge()},
    "OneVsOneClassifier": {"estimator": LogisticRegression()},
    "OneVsRestClassifier": {"estimator": LogisticRegression()},
    "PLSSVD": {"n_components": 1},
    "OutputCodeClassifier": {"estimator": LogisticRegression(), "random_state": 0},
    "Pipeline": {"steps": [("scale", StandardScaler()), ("last", LogisticRegression())]},
    "RFE": {"estimator": LogisticRegression()},
    "RFECV": {"estimator": LogisticRegression(), "cv": 2},
    "RadiusNeighborsClassifier": {"radius": 50.0},
    "RadiusNeighborsRegressor": {"radius": 50.0},
    "RandomizedSearchCV": {
        "estimator": Ridge(), "param_distributions": {"alpha": [0.1, 1.0]}, "cv": 2, "n_iter": 2,
    },
    "RegressorChain": {"estimator": Ridge()},
    "SelectFromModel": {"estimator": LogisticRegression()},
    "SelfTrainingClassifier": {"estimator": LogisticRegression()},
    "SequentialFeatureSelector": {
        "estimator": LogisticRegression(), "n_features_to_select": 1, "cv": 2,
    },
    "SparseCoder": {"dictionary": np.eye(_WIDTH)},
    "SparseRandomProjection": {"n_components": 2},
    "GaussianRandomProjection": {"n_components": 2},
    "SpectralBiclustering": {"n_clusters": 2},
    "SpectralCoclustering": {"n_clusters": 2},
    "StackingClassifier": {"estimators": [("a", LogisticRegression())], "cv": 2},
    "StackingRegressor": {"estimators": [("a", Ridge())], "cv": 2},
    "TunedThresholdClassifierCV": {"estimator": LogisticRegression(), "cv": 2},
    "VotingClassifier": {"estimators": [("a", LogisticRegression()), ("b", SVC())]},
    "VotingRegressor": {"estimators": [("a", Ridge()), ("b", LinearRegression())]},
}  # fmt: skip
_BINARY_ONLY = frozenset({"FixedThresholdClassifier", "TunedThresholdClassifierCV"})
_MANY_TARGETS = frozenset(
    {"MultiOutputRegressor", "MultiTaskElasticNet", "MultiTaskElasticNetCV", "MultiTaskLasso"}
    | {"MultiTaskLassoCV", "RegressorChain", "CCA", "PLSCanonical"}
)
_MANY_LABELS = frozenset({"ClassifierChain", "MultiOutputClassifier"})
_NOT_OF_TABLES = frozenset(
    # These take labels, mappings or kernels of the training rows instead of a table.
    {"DictVectorizer", "FeatureHasher", "KernelCenterer", "LabelBinarizer", "LabelEncoder"}
    | {"MultiLabelBinarizer", "PatchExtractor", "TfidfTransformer"}
)
_TEXTS = frozenset({"CountVectorizer", "HashingVectorizer", "TfidfVectorizer"})


def estimators() -> Iterator[ZooModel]:
    """Yield every estimator of `all_estimators()` that takes a small table, or texts."""
    for name, kind in all_estimators():
        if name in _NOT_OF_TABLES:
            continue
        if name in _TEXTS:
            yield ZooModel(name, partial(_fit_text, kind), _TEXT_ROWS, False, is_text=True)
            continue
        model = partial(_construct, name, kind)
        yield _zoo_model(name, name, model, _target_of(name, kind))
        if issubclass_of_classifier(kind) and name not in _BINARY_ONLY | _MANY_LABELS:
            yield _zoo_model(f"{name}, two classes", name, model, _TWO)


def issubclass_of_classifier(kind: type[BaseEstimator]) -> bool:
    """Return whether a class of estimators is one of classifiers."""
    return "ClassifierMixin" in {one.__name__ for one in kind.__mro__}


def _construct(name: str, kind: type[BaseEstimator]) -> BaseEstimator:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of estimators that are to be removed
        model = kind(**_PARAMETERS.get(name, {}))
    parameters = model.get_params(deep=False)
    small = {"random_state": 0, "n_estimators": 4, "max_components": 2}
    chosen = {key: value for key, value in small.items() if key in parameters}
    model.set_params(**{**chosen, **_PARAMETERS.get(name, {})})
    return model


def _target_of(name: str, kind: type[BaseEstimator]) -> Any:
    if name in _MANY_TARGETS:
        return _PAIR
    if name in _MANY_LABELS:
        return _LABELS
    if name in _BINARY_ONLY:
        return _TWO
    if name == "SelfTrainingClassifier":
        return np.digitize(_VALUE, [-1.0, 1.0])
    if issubclass_of_classifier(kind):
        return _THREE
    is_selector = name.startswith(("Select", "Generic", "RFE", "Sequential", "Pipeline"))
    return _THREE if is_selector or name == "NeighborhoodComponentsAnalysis" else _VALUE


def _zoo_model(title: str, name: str, model: Callable[[], BaseEstimator], target: Any) -> ZooModel:
    inputs, asked = _X, _numbers_to_ask()
    if name in _POSITIVE:
        inputs, asked = np.abs(_X), np.abs(asked)
    if name in {"CategoricalNB", "OneHotEncoder", "OrdinalEncoder", "TargetEncoder"}:
        inputs, asked = np.digitize(_X, [-1, 0, 1]), np.digitize(asked, [-1, 0, 1]).astype(float)
    if name in {"GammaRegressor", "PoissonRegressor", "TweedieRegressor"}:
        target = np.exp(_VALUE / 3)
    if name == "IsotonicRegression":
        inputs, asked = _X[:, :1], asked[:, :1]

    def fit() -> BaseEstimator:
        return model().fit(inputs, target)

    is_predictor = hasattr(model(), "predict") or name == "KernelDensity"
    return ZooModel(title, fit, _rows(asked), is_predictor)


_WORDS = ["red car", "blue car", "a red, red bike", "Blue BIKE!", "green", "car and bike"]
_TEXT_ROWS: Rows = [
    {"text": text} for text in [*_WORDS, "", "never seen", "naïve red-car's 42", "red\nblue"]
]


def _fit_text(kind: type[BaseEstimator]) -> BaseEstimator:
    extra = {"n_features": 32} if kind is HashingVectorizer else {}
    return kind(**extra).fit(_WORDS)


# Pipelines over a table with numbers, strings, integers, and missing values.


def mixed_frame(seed: int, size: int, *, missing: bool = False) -> pd.DataFrame:
    """Return a table with a number, an integer, a flag, and two columns of strings."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 10, size),
            "income": rng.lognormal(10, 1, size),
            "rooms": rng.integers(1, 5, size),
            "city": rng.choice(["Rome", "Oslo", "Lima"], size),
            "plan": rng.choice(["basic", "pro"], size),
        }
    )
    if missing:
        frame.loc[rng.random(size) < 0.2, "age"] = np.nan
        frame.loc[rng.random(size) < 0.2, "city"] = None
    return frame


_NUMBERS, _STRINGS = ["age", "income"], ["city", "plan"]
_MIXED = mixed_frame(1, 120)
_HOLED = mixed_frame(1, 120, missing=True)
_MIXED_VALUE = _MIXED.age / 10 + (_MIXED.city == "Rome") * 3 - (_MIXED.plan == "pro") * 2
_MIXED_LABEL = np.digitize(_MIXED_VALUE, [2.5, 5.0])


def _asked(frame: pd.DataFrame) -> Rows:
    rows = frame.to_dict("records")
    return [{key: None if pd.isna(one) else one for key, one in row.items()} for row in rows]


_MIXED_ROWS = [
    *_asked(mixed_frame(2, 7)),
    {"age": 0.0, "income": 0, "rooms": 1, "city": "Oslo", "plan": "pro"},
    {"age": 39.5, "income": 1e9, "rooms": 4, "city": "Lima", "plan": "basic"},
    {"age": 39.5, "income": 12.0, "rooms": 2, "city": "Atlantis", "plan": "basic"},
]
_HOLED_ROWS = _asked(mixed_frame(3, 10, missing=True))


def _by_name(numbers: Any, strings: Any, **options: Any) -> ColumnTransformer:
    return ColumnTransformer([("n", numbers, _NUMBERS), ("s", strings, _STRINGS)], **options)


def _positions() -> ColumnTransformer:
    return ColumnTransformer([("n", StandardScaler(), [0, 1]), ("s", OneHotEncoder(), [3, 4])])


def _masks() -> ColumnTransformer:
    mask = [True, True, False, False, False]
    strings = ("s", OneHotEncoder(handle_unknown="ignore"), slice(3, 5))
    return ColumnTransformer([("n", MinMaxScaler(), mask), strings])


def _selectors() -> ColumnTransformer:
    numbers = make_column_selector(dtype_include=np.number)
    strings = make_column_selector(dtype_exclude=np.number)
    return ColumnTransformer([("n", StandardScaler(), numbers), ("s", OneHotEncoder(), strings)])


def _callables() -> ColumnTransformer:
    return ColumnTransformer(
        [("n", RobustScaler(), lambda frame: frame.columns[:2].tolist())],
        remainder="drop",
    )


_ENCODERS: Mapping[str, Callable[[], Any]] = {
    "one-hot": OneHotEncoder,
    "one-hot, unknown ignored": lambda: OneHotEncoder(handle_unknown="ignore"),
    "one-hot, infrequent": lambda: OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=45
    ),
    "ordinal": OrdinalEncoder,
    "ordinal, unknown -1": lambda: OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1
    ),
}
_SCALERS: Mapping[str, Callable[[], Any]] = {
    "standard": StandardScaler,
    "min-max": MinMaxScaler,
    "max-abs": MaxAbsScaler,
    "robust": RobustScaler,
    "quantile": lambda: QuantileTransformer(n_quantiles=20),
    "power": PowerTransformer,
    "bins": lambda: KBinsDiscretizer(4, quantile_method="averaged_inverted_cdf"),
    "polynomial": lambda: make_pipeline(StandardScaler(), PolynomialFeatures(2)),
    "spline": lambda: SplineTransformer(n_knots=4),
    "normalizer": Normalizer,
    "nothing": lambda: "passthrough",
}
_SELECTIONS: Mapping[str, Callable[[], Any]] = {
    "positions": _positions,
    "mask and slice": _masks,
    "selectors": _selectors,
    "callable": _callables,
}


def pipelines() -> Iterator[ZooModel]:
    """Yield pipelines of the usual transformers around a few predictors."""
    logistic = partial(LogisticRegression, max_iter=200)
    forest = partial(RandomForestClassifier, 3, random_state=0, max_depth=4)
    for name, encoder in _ENCODERS.items():
        front = partial(_by_name_of, "passthrough", encoder)
        yield _mixed(f"{name} > LogisticRegression", front, logistic)
    for name, scaler in _SCALERS.items():
        for last in (logistic, forest):
            front = partial(_by_name_of, scaler, _ENCODERS["one-hot, unknown ignored"])
            yield _mixed(f"{name} > {last.func.__name__}", front, last)
    for name, selection in _SELECTIONS.items():
        yield _mixed(f"{name} > LogisticRegression", selection, logistic)
    yield from _special()
    yield from _missing()
    yield from _texts()
    yield from _arrays()


def _by_name_of(numbers: Any, strings: Callable[[], Any]) -> ColumnTransformer:
    return _by_name(numbers if isinstance(numbers, str) else numbers(), strings())


def _mixed(
    name: str,
    front: Callable[[], BaseEstimator],
    last: Callable[[], BaseEstimator],
    target: Any = _MIXED_LABEL,
) -> ZooModel:
    def fit() -> BaseEstimator:
        return make_pipeline(front(), last()).fit(_MIXED, target)

    return ZooModel(f"pipeline: {name}", fit, _MIXED_ROWS, True)


def _special() -> Iterator[ZooModel]:
    front = partial(_by_name_of, StandardScaler, OneHotEncoder)
    lasts: Mapping[str, Callable[[], Any]] = {
        "SVC": SVC,
        "LinearSVC": LinearSVC,
        "KNN": KNeighborsClassifier,
        "boosting": lambda: GradientBoostingClassifier(n_estimators=3),
        "KMeans": lambda: KMeans(3, random_state=0),
        "IsolationForest": lambda: IsolationForest(n_estimators=4, random_state=0),
        "PCA and logistic": lambda: make_pipeline(PCA(2), LogisticRegression()),
        "best and logistic": lambda: make_pipeline(SelectKBest(k=2), LogisticRegression()),
        "search": lambda: GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2),
        "two labels": lambda: MultiOutputClassifier(LogisticRegression()),
    }
    both = np.column_stack([_MIXED_LABEL, _MIXED.rooms])
    for name, last in lasts.items():
        yield _mixed(name, front, last, both if name == "two labels" else _MIXED_LABEL)
    yield _mixed("Ridge", front, Ridge, _MIXED_VALUE)
    yield _mixed("tree of values", front, DecisionTreeRegressor, _MIXED_VALUE)
    yield _mixed("two values", front, LinearRegression, np.column_stack([_MIXED_VALUE] * 2))
    union = partial(make_union, StandardScaler(), PCA(2))
    yield ZooModel(
        "pipeline: union > Ridge",
        lambda: make_pipeline(union(), Ridge()).fit(_X, _VALUE),
        _rows(_numbers_to_ask()),
        True,
    )
    yield ZooModel(
        "pipeline: logarithm > Ridge",
        lambda: make_pipeline(FunctionTransformer(np.log1p), Ridge()).fit(np.abs(_X), _VALUE),
        _rows(np.abs(_numbers_to_ask())),
        True,
    )
    targets = np.where(_MIXED_LABEL > 0, "yes", "no")
    yield _mixed(
        "target encoder", partial(_by_name, StandardScaler(), TargetEncoder()), _LR, targets
    )
    yield ZooModel(
        "pipeline: integers as categories",
        lambda: make_pipeline(
            ColumnTransformer([("o", OneHotEncoder(), ["rooms"])]), LogisticRegression()
        ).fit(_MIXED[["rooms"]], _MIXED_LABEL),
        [{"rooms": one} for one in (1, 2, 3, 4, 9)],
        True,
    )
    yield ZooModel("scaler of epoch seconds", _fit_epoch, _epoch_rows(), True)
    yield ZooModel("forest of epoch seconds", _fit_epoch_forest, _epoch_rows(), True)


def _LR() -> BaseEstimator:  # noqa: N802 - one of the constructors
    return LogisticRegression(max_iter=200)


def _epoch(seed: int, size: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"ts": 1.7e9 + rng.uniform(-3600, 3600, size), "v": rng.normal(size=size)})


def _epoch_rows() -> Rows:
    return _asked(_epoch(5, 20))


def _fit_epoch() -> BaseEstimator:
    table = _epoch(4, 200)
    late = (table.ts - 1.7e9) / 600 + table.v > 0
    return make_pipeline(StandardScaler(), LogisticRegression(C=100)).fit(table, late)


def _fit_epoch_forest() -> BaseEstimator:
    table = _epoch(4, 200)
    late = (table.ts - 1.7e9) / 600 + table.v
    return make_pipeline(StandardScaler(), RandomForestRegressor(3, random_state=0)).fit(
        table, late
    )


def _missing() -> Iterator[ZooModel]:
    strings = partial(
        make_pipeline,
        SimpleImputer(strategy="most_frequent"),
        OneHotEncoder(handle_unknown="ignore"),
    )
    fronts: Mapping[str, Callable[[], Any]] = {
        "imputed": lambda: _by_name(make_pipeline(SimpleImputer(), StandardScaler()), strings()),
        "indicated": lambda: _by_name(SimpleImputer(add_indicator=True), strings()),
        "nearest": lambda: _by_name(KNNImputer(), strings()),
        "missing is a category": lambda: _by_name(SimpleImputer(), OneHotEncoder()),
        "constant": lambda: _by_name(
            SimpleImputer(strategy="constant", fill_value=-1),
            make_pipeline(SimpleImputer(strategy="constant", fill_value="?"), OrdinalEncoder()),
        ),
    }
    for name, front in fronts.items():
        for last in (_LR, partial(DecisionTreeClassifier, max_depth=3)):
            title = f"pipeline: {name} > {type(last()).__name__}"
            yield ZooModel(title, _fitter(front, last), _HOLED_ROWS, True)
    numbers = ["age", "income", "rooms"]
    for kind in (HistGradientBoostingClassifier, DecisionTreeClassifier, RandomForestClassifier):
        small = {"max_iter": 3} if kind is HistGradientBoostingClassifier else {"max_depth": 3}
        yield ZooModel(
            f"{kind.__name__} with missing numbers",
            lambda kind=kind, small=small: kind(**small).fit(_HOLED[numbers], _MIXED_LABEL),
            [{name: row[name] for name in numbers} for row in _HOLED_ROWS],
            True,
        )
    yield ZooModel(
        "HistGradientBoostingClassifier with categories", _fit_categories, _HOLED_ROWS, True
    )


def _fitter(front: Callable[[], Any], last: Callable[[], Any]) -> Callable[[], BaseEstimator]:
    return lambda: make_pipeline(front(), last()).fit(_HOLED, _MIXED_LABEL)


def _fit_categories() -> BaseEstimator:
    typed = _HOLED.astype({"city": "category", "plan": "category"})
    return HistGradientBoostingClassifier(max_iter=3).fit(typed, _MIXED_LABEL)


def _texts() -> Iterator[ZooModel]:
    labels = np.array([1, 0, 1, 0, 2, 1])
    for front in (
        CountVectorizer(),
        TfidfVectorizer(ngram_range=(1, 2)),
        HashingVectorizer(n_features=64),
    ):
        for last in (MultinomialNB() if "Hash" not in type(front).__name__ else LinearSVC(), _LR()):
            name = f"text: {type(front).__name__} > {type(last).__name__}"
            fit = partial(make_pipeline(front, last).fit, _WORDS, labels)
            yield ZooModel(name, fit, _TEXT_ROWS, True, is_text=True)
    svd = make_pipeline(TfidfVectorizer(), TruncatedSVD(2), Ridge())
    yield ZooModel(
        "text: SVD > Ridge", partial(svd.fit, _WORDS, labels), _TEXT_ROWS, True, is_text=True
    )
    union = FeatureUnion(
        [("words", CountVectorizer()), ("pairs", CountVectorizer(ngram_range=(2, 2)))]
    )
    both = make_pipeline(union, _LR())
    yield ZooModel("text: union", partial(both.fit, _WORDS, labels), _TEXT_ROWS, True, is_text=True)
    column = make_pipeline(
        ColumnTransformer([("t", TfidfVectorizer(), "text"), ("n", StandardScaler(), ["n"])]), _LR()
    )
    table = pd.DataFrame({"text": _WORDS, "n": range(6)})
    rows = [{**row, "n": at} for at, row in enumerate(_TEXT_ROWS)]
    yield ZooModel("text: a column", partial(column.fit, table, labels), rows, True)


def _arrays() -> Iterator[ZooModel]:
    """Yield models that were fitted on arrays of objects or of strings."""
    columns = ["age", "income", "rooms", "city", "plan"]
    objects = _MIXED[columns].to_numpy(dtype=object)
    rows = [{f"x{at}": row[name] for at, name in enumerate(columns)} for row in _MIXED_ROWS]
    by_position = make_pipeline(_positions(), LogisticRegression(max_iter=200))
    yield ZooModel("array of objects", partial(by_position.fit, objects, _MIXED_LABEL), rows, True)
    strings = objects[:, 3:].astype(str)
    encoded = make_pipeline(OneHotEncoder(handle_unknown="ignore"), DecisionTreeClassifier())
    yield ZooModel(
        "array of strings",
        partial(encoded.fit, strings, _MIXED_LABEL),
        [{"x0": row["city"], "x1": row["plan"]} for row in _MIXED_ROWS],
        True,
    )


def is_served_as_classifier(model: BaseEstimator) -> bool:
    """Return whether a model is a classifier."""
    return bool(is_classifier(model))
