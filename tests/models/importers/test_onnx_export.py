import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from modstream.models.errors import GoldenMismatch, NotConvertible
from modstream.models.importers.fidelity import compare_outputs
from modstream.models.importers.onnx_export import to_onnx
from modstream.models.runtimes.sklearn_introspection import infer_classes, infer_schema, infer_task
from modstream.models.schema.input_schema import InputSchema
from tests.models.runtime_cases import SCHEMA, fit_pipeline, random_rows

_POINTS = np.random.default_rng(0).normal(size=(100, 3))
_BINARY_LABELS = (_POINTS[:, 0] > 0).astype(int)
_CLASS_LABELS = np.digitize(_POINTS[:, 0], [-0.5, 0.5])
_SCHEMA = InputSchema.of_floats(["x0", "x1", "x2"])


def golden_batch(n: int = 50):
    return _SCHEMA.parse_rows(
        [dict(zip(_SCHEMA.names, row, strict=True)) for row in _POINTS[:n]]
    ).batch


def inputs_of(artifact: bytes) -> dict[str, tuple[int, int]]:
    """Return the element type and the width of each input."""
    graph = onnx.ModelProto.FromString(artifact).graph
    types = {declared.name: declared.type.tensor_type for declared in graph.input}
    return {name: (found.elem_type, found.shape.dim[1].dim_value) for name, found in types.items()}


@pytest.mark.parametrize(
    ("model", "labels"),
    [
        (make_pipeline(StandardScaler(), LogisticRegression()), _BINARY_LABELS),
        (LogisticRegression(), _CLASS_LABELS),
        (RandomForestRegressor(3, random_state=0), _POINTS[:, 0]),
    ],
)
def test_a_model_fitted_on_an_array_takes_one_matrix(model, labels):
    model.fit(_POINTS.astype(np.float32), labels)

    artifact = to_onnx(model, infer_schema(model), golden_batch())

    assert inputs_of(artifact) == {"features": (onnx.TensorProto.FLOAT, 3)}


def test_a_model_fitted_on_a_dataframe_without_column_transformer_takes_one_matrix():
    model = LogisticRegression().fit(
        pd.DataFrame(_POINTS, columns=list(_SCHEMA.names)), _BINARY_LABELS
    )

    assert list(inputs_of(to_onnx(model, infer_schema(model), golden_batch()))) == ["features"]


def test_a_model_that_selects_columns_takes_one_input_per_feature():
    model = fit_pipeline(LogisticRegression(), "binary")

    artifact = to_onnx(model, SCHEMA, SCHEMA.parse_rows(random_rows(50)).batch)

    number, string = (onnx.TensorProto.FLOAT, 1), (onnx.TensorProto.STRING, 1)
    assert inputs_of(artifact) == {"a": number, "b": number, "c": number, "s": string}


def test_encoders_know_strings_and_integers():
    table = pd.DataFrame({"s": ["p", "q"] * 50, "n": [1, 2] * 50, "x": _POINTS[:, 0]})
    columns = ColumnTransformer(
        [
            ("strings", make_pipeline(OneHotEncoder()), ["s"]),
            ("numbers", OrdinalEncoder(), ["n"]),
            ("rest", "passthrough", ["x"]),
        ]
    )
    model = make_pipeline(columns, LogisticRegression()).fit(table, _BINARY_LABELS)

    kinds = {feature.name: feature.kind for feature in infer_schema(model).features}

    assert kinds == {"s": "string", "n": "int", "x": "float"}


def test_unnamed_features_are_numbered():
    assert infer_schema(LogisticRegression().fit(_POINTS, _BINARY_LABELS)) == _SCHEMA


@pytest.mark.parametrize(
    ("model", "labels", "task", "classes"),
    [
        (LogisticRegression(), _BINARY_LABELS, "binary", (0, 1)),
        (LogisticRegression(), _BINARY_LABELS > 0, "binary", (False, True)),
        (LogisticRegression(), np.array(["no", "yes"])[_BINARY_LABELS], "binary", ("no", "yes")),
        (LogisticRegression(), _CLASS_LABELS, "multiclass", (0, 1, 2)),
        (LinearRegression(), _POINTS[:, 0], "regression", ()),
    ],
)
def test_task_and_classes_are_inferred(model, labels, task, classes):
    model.fit(_POINTS, labels)

    assert infer_task(model) == task
    assert infer_classes(model) == classes
    assert [type(label) for label in infer_classes(model)] == [type(label) for label in classes]


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (KMeans(2, n_init=1).fit(_POINTS), "neither a fitted regressor nor a fitted classifier"),
        (LogisticRegression(), "neither a fitted regressor nor a fitted classifier"),
        (RidgeClassifier().fit(_POINTS, _BINARY_LABELS), "predict_proba"),
    ],
)
def test_a_model_without_an_onnx_form_is_rejected_with_the_reason(model, reason):
    with pytest.raises(
        NotConvertible, match=f"{type(model).__name__} cannot be published:.*{reason}"
    ):
        to_onnx(model, _SCHEMA, golden_batch())


def test_an_unfitted_model_has_no_schema():
    with pytest.raises(NotConvertible, match="it is not fitted"):
        infer_schema(LogisticRegression())


def test_strings_have_to_be_selected_by_name():
    model = LogisticRegression().fit(_POINTS, _BINARY_LABELS)

    with pytest.raises(NotConvertible, match="s is a string; select it with a ColumnTransformer"):
        to_onnx(model, SCHEMA, SCHEMA.parse_rows(random_rows(5)).batch)


def test_an_export_without_golden_rows_is_rejected():
    model = LogisticRegression().fit(_POINTS, _BINARY_LABELS)

    with pytest.raises(NotConvertible, match="no golden rows"):
        to_onnx(model, _SCHEMA, golden_batch(0))


def test_a_model_whose_predictions_change_in_float32_is_not_exported():
    steep = LogisticRegression().fit(_POINTS, _BINARY_LABELS)
    steep.coef_ = steep.coef_ * 1e9
    edge = [{"x0": 0.1, "x1": 0.1, "x2": -0.2 + 1e-9 * i} for i in range(20)]
    steep.coef_[:] = 1e9
    steep.intercept_[:] = 0

    with pytest.raises(GoldenMismatch, match="golden row"):
        to_onnx(steep, _SCHEMA, _SCHEMA.parse_rows(edge).batch)


def test_the_first_row_that_differs_is_reported():
    expected, found = np.array([[0.5, 0.5], [0.2, 0.8]]), np.array([[0.5, 0.5], [0.2, 0.7]])

    with pytest.raises(
        GoldenMismatch, match=r"golden row 1: the original predicts 0\.8, the export 0\.7"
    ):
        compare_outputs(expected, found, 1e-4)


def test_an_export_that_returns_nan_is_a_mismatch():
    with pytest.raises(GoldenMismatch, match="the export nan"):
        compare_outputs(np.array([0.5]), np.array([np.nan]), 1e-4)
