"""Thresholds at which float32 and float64 decide alike, and the export of histogram boosting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modstream.models.errors import NotConvertible
from modstream.models.importers.hist_boosting import round_down
from modstream.models.importers.onnx_export import export_graph
from modstream.models.importers.sklearn import export_model
from modstream.models.runtimes.sklearn_introspection import infer_schema
from modstream.models.schema.input_schema import Batch, InputSchema
from modstream.models.training.thresholds import align_thresholds

RNG = np.random.default_rng(0)
MATRIX = RNG.normal(size=(400, 3))
LABELS = (MATRIX[:, 0] + MATRIX[:, 1] ** 2 > 0.5).astype(int)
SCHEMA = InputSchema.of_floats(["a", "b", "c"])
GOLDEN = Batch.of_matrix(SCHEMA.names, MATRIX)
SMALL = {"max_iter": 5, "max_leaf_nodes": 8, "early_stopping": False}


@pytest.mark.parametrize("kind", [HistGradientBoostingClassifier, HistGradientBoostingRegressor])
def test_a_boosting_with_aligned_thresholds_is_exported_in_float32(kind):
    model = kind(**SMALL).fit(MATRIX, LABELS)
    before = model.predict(MATRIX)

    align_thresholds(model, MATRIX)

    np.testing.assert_array_equal(model.predict(MATRIX), before)
    found = export_model(model, SCHEMA, GOLDEN)
    assert (found.runtime, found.fidelity.precision) == ("onnx", "float32")
    assert found.fidelity.rows > len(MATRIX)


def test_three_classes_are_exported():
    classes = np.digitize(MATRIX[:, 0], [-0.5, 0.5])
    model = HistGradientBoostingClassifier(**SMALL).fit(MATRIX, classes)
    align_thresholds(model, MATRIX)

    assert export_model(model, SCHEMA, GOLDEN).runtime == "onnx"


def test_values_beside_a_threshold_are_decided_alike():
    model = HistGradientBoostingClassifier(**SMALL).fit(MATRIX, LABELS)
    align_thresholds(model, MATRIX)
    nodes = np.concatenate([tree.nodes for (tree,) in model._predictors])
    inner = nodes[nodes["is_leaf"] == 0]
    rows = []
    for node in inner:
        threshold = node["num_threshold"]
        for value in (np.nextafter(threshold, -np.inf), threshold, np.nextafter(threshold, np.inf)):
            row = [0.0, 0.0, 0.0]
            row[node["feature_idx"]] = value
            rows.append(row)
    batch = Batch.of_matrix(SCHEMA.names, np.array(rows))

    exported = export_graph(model, SCHEMA, "float32").runtime.predict(batch)

    expected = model.predict_proba(np.array(rows))[:, 1]
    np.testing.assert_allclose(exported, expected, atol=1e-5)


def test_values_that_float32_does_not_tell_apart_keep_their_threshold():
    near = 1.0 + np.arange(200) * 1e-12
    matrix, labels = near[:, None], (np.arange(200) > 100).astype(int)
    model = HistGradientBoostingClassifier(**SMALL).fit(matrix, labels)
    before = model.predict_proba(matrix)

    align_thresholds(model, matrix)

    np.testing.assert_array_equal(model.predict_proba(matrix), before)


def test_other_models_are_left_alone():
    model = make_pipeline(StandardScaler()).fit(MATRIX)

    align_thresholds(model, MATRIX)

    assert infer_schema(model).names


def test_splits_by_categories_are_not_exported():
    codes = RNG.integers(0, 4, 400).astype(float)
    model = HistGradientBoostingClassifier(**SMALL, categorical_features=[0])
    model.fit(np.column_stack([codes, MATRIX[:, 0]]), codes.astype(int) % 2)

    with pytest.raises(NotConvertible, match="it splits by categories"):
        export_graph(model, InputSchema.of_floats(["a", "b"]), "float32")


@given(st.floats(-1e30, 1e30))
def test_rounded_thresholds_are_float32_and_not_above(value):
    found = float(round_down(np.array([value]))[0])

    assert found <= value
    assert found == float(np.float32(found))
    assert float(np.nextafter(np.float32(found), np.float32(np.inf))) > value
