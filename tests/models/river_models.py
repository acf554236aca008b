"""The River models that artifacts may contain; the allow-list is the union of their globals."""

import random
from collections.abc import Iterator
from typing import Any

from river import (
    anomaly,
    compose,
    drift,
    dummy,
    ensemble,
    feature_extraction,
    feature_selection,
    forest,
    imblearn,
    linear_model,
    multiclass,
    naive_bayes,
    neighbors,
    optim,
    preprocessing,
    rules,
    stats,
    time_series,
    tree,
)
from river.base import Regressor

from modstream.models.transformers import Clip, Crosses

_QUICK_GROWTH = {"grace_period": 20}
_SEEDED = {"n_models": 3, "seed": 1}
_OPTIMIZERS = (
    *("AdaBound", "AdaDelta", "AdaGrad", "AdaMax", "Adam", "AMSGrad", "FTRLProximal", "Momentum"),
    *("Nadam", "NesterovMomentum", "RMSProp"),
)
_LOSSES = ("Absolute", "Cauchy", "EpsilonInsensitiveHinge", "Huber", "Poisson", "Quantile")
_SCALERS = (
    *("AdaptiveStandardScaler", "Binarizer", "MaxAbsScaler", "MinMaxScaler", "Normalizer"),
    *("RobustScaler", "StandardScaler", "StatImputer"),
)


def _logistic(**kwargs: Any) -> Any:
    return preprocessing.StandardScaler() | linear_model.LogisticRegression(**kwargs)


def _linear(**kwargs: Any) -> Any:
    return preprocessing.StandardScaler() | linear_model.LinearRegression(**kwargs)


def _tree(**kwargs: Any) -> Any:
    return tree.HoeffdingTreeClassifier(**_QUICK_GROWTH, **kwargs)


def _regression_tree(**kwargs: Any) -> Any:
    return tree.HoeffdingTreeRegressor(**_QUICK_GROWTH, **kwargs)


def _with_strings(encoder: Any, model: Any) -> Any:
    numbers = compose.SelectType((int, float)) | preprocessing.StandardScaler()
    return compose.TransformerUnion(compose.SelectType(str) | encoder, numbers) | model


def _linear_models() -> dict[str, Any]:
    scaler = preprocessing.StandardScaler
    models = {name: _logistic(optimizer=getattr(optim, name)()) for name in _OPTIMIZERS}
    models |= {
        name: _linear(optimizer=optim.SGD(0.001), loss=getattr(optim.losses, name)())
        for name in _LOSSES
    }
    models |= {
        name: getattr(preprocessing, name)() | linear_model.LogisticRegression()
        for name in _SCALERS
    }
    return models | {
        "logistic": _logistic(),
        "averager": _logistic(optimizer=optim.Averager(optim.SGD())),
        "decay": _logistic(optimizer=optim.SGD(optim.schedulers.InverseScaling(0.1))),
        "optimal": _logistic(optimizer=optim.SGD(optim.schedulers.Optimal(optim.losses.Log()))),
        "linear": _linear(),
        "softmax": scaler() | linear_model.SoftmaxRegression(),
        "alma": scaler() | linear_model.ALMAClassifier(),
        "perceptron": scaler() | linear_model.Perceptron(),
        "one_vs_rest": scaler() | multiclass.OneVsRestClassifier(linear_model.LogisticRegression()),
        "one_vs_one": scaler() | multiclass.OneVsOneClassifier(linear_model.LogisticRegression()),
    }


def _pipelines() -> dict[str, Any]:
    logistic = linear_model.LogisticRegression
    means = feature_extraction.TargetAgg(by="s", how=stats.Mean())
    return {
        "one_hot": _with_strings(preprocessing.OneHotEncoder(), logistic()),
        "one_hot_sparse": _with_strings(preprocessing.OneHotEncoder(drop_zeros=True), logistic()),
        "crosses": _with_strings(Crosses(("s",), ("s", "a")), logistic()),
        "clipped": preprocessing.StandardScaler() | Clip(3.0) | logistic(),
        "ordinal": _with_strings(preprocessing.OrdinalEncoder(), _tree()),
        "target": compose.TransformerUnion(compose.Select("s") | means, compose.Select("a", "b"))
        | logistic(),
        "discard": compose.Discard("s") | _logistic(),
        "select": compose.Select("a", "b") | _logistic(),
        "hasher": preprocessing.FeatureHasher(seed=1) | logistic(),
        "polynomial": feature_extraction.PolynomialExtender() | _logistic(),
        "k_best": feature_selection.SelectKBest(stats.PearsonCorr(), k=1) | logistic(),
        "variance": feature_selection.VarianceThreshold() | logistic(),
        "under": imblearn.RandomUnderSampler(_logistic(), {False: 0.5, True: 0.5}, seed=1),
        "over": imblearn.RandomOverSampler(_logistic(), {False: 0.5, True: 0.5}, seed=1),
        "retrain": drift.DriftRetrainingClassifier(_logistic(), drift.binary.DDM()),
    }


def _trees() -> dict[str, Any]:
    histogram = tree.splitter.HistogramSplitter()
    return {
        "tree": _tree(),
        "tree_gini": _tree(split_criterion="gini", leaf_prediction="mc"),
        "tree_hellinger": _tree(split_criterion="hellinger", leaf_prediction="nb"),
        "tree_histogram": _tree(splitter=histogram),
        "tree_strings": _tree(),
        "adaptive_tree": tree.HoeffdingAdaptiveTreeClassifier(**_QUICK_GROWTH, seed=1),
        "fast_tree": tree.ExtremelyFastDecisionTreeClassifier(**_QUICK_GROWTH),
        "gradient_tree": tree.SGTClassifier(**_QUICK_GROWTH),
        "tree_regressor": _regression_tree(),
        "tree_mean": _regression_tree(leaf_prediction="mean"),
        "tree_model": _regression_tree(leaf_prediction="model"),
        "adaptive_regressor": tree.HoeffdingAdaptiveTreeRegressor(**_QUICK_GROWTH, seed=1),
        "gradient_regressor": tree.SGTRegressor(**_QUICK_GROWTH),
        "rules": rules.AMRules(),
    }


def _ensembles() -> dict[str, Any]:
    logistic = linear_model.LogisticRegression
    meta = {"meta_classifier": logistic()}
    return {
        "forest": forest.ARFClassifier(**_SEEDED, **_QUICK_GROWTH),
        "forest_strings": forest.ARFClassifier(**_SEEDED, **_QUICK_GROWTH, leaf_prediction="mc"),
        "forest_regressor": forest.ARFRegressor(**_SEEDED, **_QUICK_GROWTH),
        "extra_trees": forest.OXTRegressor(**_SEEDED, **_QUICK_GROWTH),
        "mondrian": forest.AMFClassifier(3, seed=1),
        "mondrian_regressor": forest.AMFRegressor(3, seed=1),
        "adwin_bagging": ensemble.ADWINBaggingClassifier(logistic(), **_SEEDED),
        "bagging": ensemble.BaggingClassifier(_tree(), **_SEEDED),
        "bagging_regressor": ensemble.BaggingRegressor(linear_model.LinearRegression(), **_SEEDED),
        "boosting": ensemble.AdaBoostClassifier(_tree(), **_SEEDED),
        "patches": ensemble.SRPClassifier(_tree(), **_SEEDED),
        "patches_regressor": ensemble.SRPRegressor(_regression_tree(), **_SEEDED),
        "stacking": ensemble.StackingClassifier([logistic(), naive_bayes.GaussianNB()], **meta),
        "weighted": ensemble.EWARegressor([linear_model.LinearRegression(), _regression_tree()]),
    }


def _other_models() -> dict[str, Any]:
    scaler = preprocessing.StandardScaler
    positive = preprocessing.MinMaxScaler
    return {
        "gaussian": naive_bayes.GaussianNB(),
        "bernoulli": positive() | naive_bayes.BernoulliNB(),
        "multinomial": positive() | naive_bayes.MultinomialNB(),
        "complement": positive() | naive_bayes.ComplementNB(),
        "neighbours": scaler() | neighbors.KNNClassifier(),
        "neighbours_regressor": scaler() | neighbors.KNNRegressor(),
        "half_space": positive() | anomaly.HalfSpaceTrees(seed=1),
        "prior": dummy.PriorClassifier(),
        "no_change": dummy.NoChangeClassifier(),
        "mean": dummy.StatisticRegressor(stats.Mean()),
        "series": time_series.SNARIMAX(p=2, d=1, q=1, m=4, sd=1),
        "seasons": time_series.HoltWinters(alpha=0.3, beta=0.1, gamma=0.3, seasonality=4),
        "factors": time_series.HoltWinters(
            alpha=0.3, beta=0.1, gamma=0.3, seasonality=4, multiplicative=True
        ),
    }


_WITH_STRINGS = {
    *("one_hot", "one_hot_sparse", "ordinal", "target", "discard", "tree_strings"),
    "forest_strings",
}
_THREE_CLASSES = {"softmax", "one_vs_rest", "one_vs_one"}


def untrained_models() -> dict[str, Any]:
    """Return one untrained model of each kind, by name."""
    return _linear_models() | _pipelines() | _trees() | _ensembles() | _other_models()


def random_rows(name: str, n: int, seed: int = 0) -> list[dict[str, Any]]:
    """Return rows of two numbers, and of a string for models that support one."""
    rng = random.Random(seed)
    columns = ("a", "b", "s") if name in _WITH_STRINGS else ("a", "b")
    all_rows: Iterator[dict[str, Any]] = (
        {"a": rng.gauss(0, 1), "b": rng.gauss(0, 20), "s": rng.choice("pqrs")} for _ in range(n)
    )
    return [{column: row[column] for column in columns} for row in all_rows]


def train(name: str, model: Any, n: int = 300) -> Any:
    """Train a model on n rows whose label depends on all their features."""
    for row in random_rows(name, n):
        value = row["a"] + row["b"] / 20 + (row.get("s") == "p")
        if isinstance(model, time_series.base.Forecaster):
            model.learn_one(y=value + 10)
        elif name == "half_space":
            model.learn_one(row)
        elif name in _THREE_CLASSES:
            model.learn_one(row, "low" if value < -1 else "mid" if value < 1 else "high")
        elif name == "Poisson":
            model.learn_one(row, abs(value))
        else:
            model.learn_one(row, value if _is_regressor(model) else value > 0)
    return model


def _is_regressor(model: Any) -> bool:
    last = getattr(model, "_last_step", model)
    return isinstance(last, Regressor) or type(last).__name__ == "AMFRegressor"
