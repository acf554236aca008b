"""The types that a skops artifact may use in addition to those that skops itself trusts.

Each is named exactly. They hold numbers, or are functions of scikit-learn that only a fit calls;
none reads a file, starts a program or imports a module. Trees and search trees hold positions that
compiled code follows without a check: `sklearn_indices` checks these after a model is rebuilt.
"""


def _in(module: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{module}.{name}" for name in names)


TRUSTED_TYPES: tuple[str, ...] = (
    "functools.partial",
    "numpy.dtype",
    *_in("numpy", "mean", "median", "max", "min", "sum"),
    *_in("numpy", "floating", "generic", "inexact", "integer", "number", "signedinteger"),
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
    "scipy.interpolate._bsplines.BSpline",
    "scipy.interpolate._interpolate.interp1d",
    "scipy.sparse._csr.csr_matrix",
    "scipy.sparse._csr.csr_array",
    "scipy.sparse._csc.csc_matrix",
    "scipy.sparse._csc.csc_array",
    *_in("sklearn._loss.loss", "HalfTweedieLoss", "HalfTweedieLossIdentity"),
    *_in(
        "sklearn.calibration",
        "_CalibratedClassifier",
        "_SigmoidCalibration",
        "_TemperatureScaling",
    ),
    *_in("sklearn.cluster._bisect_k_means", "_BisectingTree"),
    *_in("sklearn.cluster._kmeans", "_kmeans_single_lloyd", "_kmeans_single_elkan"),
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    *_in(
        "sklearn.feature_selection._univariate_selection",
        *("chi2", "f_classif", "f_oneway", "f_regression", "r_regression"),
    ),
    *_in("sklearn.feature_selection._mutual_info", "mutual_info_classif", "mutual_info_regression"),
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    *_in(
        "sklearn.gaussian_process.kernels",
        *("CompoundKernel", "ConstantKernel", "DotProduct", "Exponentiation", "ExpSineSquared"),
        *("Hyperparameter", "Matern", "PairwiseKernel", "Product", "RBF", "RationalQuadratic"),
        *("Sum", "WhiteKernel"),
    ),
    *_in(
        "sklearn.metrics._classification",
        *("accuracy_score", "balanced_accuracy_score", "f1_score", "fbeta_score", "log_loss"),
        *("precision_score", "recall_score", "matthews_corrcoef", "brier_score_loss"),
    ),
    *_in("sklearn.metrics._ranking", "roc_auc_score", "average_precision_score"),
    *_in(
        "sklearn.metrics._regression",
        *("mean_absolute_error", "mean_squared_error", "r2_score", "root_mean_squared_error"),
    ),
    *_in(
        "sklearn.metrics._dist_metrics",
        *(
            f"{kind}Distance{bits}"
            for kind in (
                *("BrayCurtis", "Canberra", "Chebyshev", "Dice", "Euclidean", "Hamming"),
                *("Haversine", "Jaccard", "Mahalanobis", "Manhattan", "Minkowski"),
                *("RogersTanimoto", "RussellRao", "SEuclidean", "SokalSneath"),
            )
            for bits in (32, 64)
        ),
        *("DistanceMetric32", "DistanceMetric64"),
    ),
    *_in(
        "sklearn.metrics._scorer",
        *("_CurveScorer", "_MultimetricScorer", "_PassthroughScorer", "_Scorer"),
    ),
    *_in(
        "sklearn.model_selection._search_successive_halving",
        *("HalvingGridSearchCV", "HalvingRandomSearchCV"),
    ),
    *_in("sklearn.impute._iterative", "IterativeImputer", "_ImputerTriplet"),
    *_in(
        "sklearn.model_selection._split",
        *("GroupKFold", "KFold", "RepeatedKFold", "RepeatedStratifiedKFold", "ShuffleSplit"),
        *("StratifiedKFold", "StratifiedShuffleSplit", "TimeSeriesSplit"),
    ),
    "sklearn.multiclass._ConstantPredictor",
    *_in("sklearn.neighbors._ball_tree", "BallTree", "BallTree64", "BallTree32"),
    *_in("sklearn.neighbors._kd_tree", "KDTree", "KDTree64", "KDTree32"),
    *_in("sklearn.neural_network._stochastic_optimizers", "AdamOptimizer", "SGDOptimizer"),
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    *_in("sklearn.utils._metadata_requests", "MetadataRequest", "MethodMetadataRequest"),
    "sklearn.utils.validation.check_array",
)
