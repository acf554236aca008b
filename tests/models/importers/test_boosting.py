"""Gradient boosting of other libraries, as far as no library is needed."""

import sys

import numpy as np
import pytest
from onnx import TensorProto, helper

from modstream.models.errors import LibraryMissing, NotConvertible, OptionNotSupported
from modstream.models.importers.boosting import import_boosting
from modstream.models.importers.boosting_libraries import BoostingModel, library_of_file
from modstream.models.importers.boosting_trees import (
    golden_matrix,
    round_thresholds_down,
    split_thresholds,
)
from modstream.models.importers.description import NO_DESCRIPTION, ModelDescription
from modstream.models.importers.import_file import import_file
from modstream.models.schema.input_schema import Feature

THRESHOLD = 0.1
"""A number between two of float32, of which the nearest is greater."""
TREE = {
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_featureids": [1, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_values": [THRESHOLD, 0.0, 0.0],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
    "nodes_missing_value_tracks_true": [1, 0, 0],
    "target_treeids": [0, 0],
    "target_nodeids": [1, 2],
    "target_ids": [0, 0],
    "target_weights": [-1.0, 1.0],
    "n_targets": 1,
}


def tree_graph():
    """Return a graph with one split of the second of two features."""
    node = helper.make_node("TreeEnsembleRegressor", ["X"], ["Y"], domain="ai.onnx.ml", **TREE)
    inputs = [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 2])]
    outputs = [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [None, 1])]
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    graph = helper.make_graph([node], "g", inputs, outputs)
    return helper.make_model(graph, opset_imports=domains, ir_version=8)


def library_predicts(matrix):
    """Predict as the library does: missing values go left."""
    right = np.nan_to_num(matrix[:, 1], nan=-9.0) > THRESHOLD
    return np.where(right, 1.0, -1.0)


def exact_model(**fields):
    graph = tree_graph()
    round_thresholds_down(graph, [(1, THRESHOLD)])
    return BoostingModel("lightgbm", graph, library_predicts, 2, **fields)


@pytest.fixture(autouse=True)
def _has_release(monkeypatch):
    """No release of the library is installed."""
    monkeypatch.setattr("modstream.models.importers.boosting.version", lambda _: "1.0")


def test_a_model_whose_graph_agrees_is_imported_with_features_that_may_be_missing():
    spec, _, samples = import_boosting("m", exact_model(), NO_DESCRIPTION)

    assert (spec.task, spec.runtime, spec.note) == ("regression", "onnx", "the LightGBM model")
    assert [(one.name, one.missing) for one in spec.input_schema.features] == [
        ("x0", True),
        ("x1", True),
    ]
    assert spec.fidelity.max_difference == 0.0
    assert samples.outputs.tolist() == [
        1.0 if row["x1"] > THRESHOLD else -1.0 for row in samples.rows
    ]


def test_a_model_is_refused_if_a_threshold_was_rounded_up():
    model = BoostingModel("lightgbm", tree_graph(), library_predicts, 2)

    with pytest.raises(NotConvertible, match=r"predicts something else .*golden row"):
        import_boosting("m", model, NO_DESCRIPTION)


def sends_missing_right(matrix):
    return np.where(np.nan_to_num(matrix[:, 1], nan=9.0) > THRESHOLD, 1.0, -1.0)


def test_no_feature_may_be_missing_if_the_graph_differs_there():
    graph = exact_model().graph
    model = BoostingModel("lightgbm", graph, sends_missing_right, 2, ("a", "b"))

    spec, *_ = import_boosting("m", model, NO_DESCRIPTION)

    assert [(one.name, one.missing) for one in spec.input_schema.features] == [
        ("a", False),
        ("b", False),
    ]
    asked = ModelDescription(features=(feature("a"), feature("b", missing=True)))
    with pytest.raises(OptionNotSupported, match="without a value of 'b'"):
        import_boosting("m", model, asked)


def feature(name, kind="float", **fields):
    return Feature(name=name, kind=kind, **fields)


def test_features_and_samples_are_the_callers():
    rows = [{"u": 1.5, "v": True}, {"u": 2.5, "v": False}]
    described = ModelDescription(features=(feature("u"), feature("v", "bool")), samples=rows)

    spec, _, samples = import_boosting("m", exact_model(), described)

    assert [(one.name, one.kind) for one in spec.input_schema.features] == [
        ("u", "float"),
        ("v", "bool"),
    ]
    assert samples.rows[-2:] == rows
    assert samples.outputs[-2:].tolist() == [1.0, -1.0]


def test_the_rows_of_the_comparison_are_at_the_thresholds_and_beside_them():
    graph = tree_graph()
    (threshold,) = split_thresholds(graph)[1]

    column = set(golden_matrix(graph, 2)[:, 1].astype(np.float32))

    for near in (threshold, np.nextafter(np.float32(threshold), np.float32(9))):
        assert np.float32(near) in column


@pytest.mark.parametrize(
    ("content", "library"),
    [
        (b"CBM1\x00", "catboost"),
        (b"tree\nversion=v4\n", "lightgbm"),
        (b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{L", "xgboost"),
        (b' {"learner": {}}', "xgboost"),
        (b'{"oblivious_trees": []}', "catboost"),
        (b'{"tree_info": []}', "lightgbm"),
        (b'{"learner', None),
        (b"[" * 100_000, None),
        (b"{" + b"[" * 100_000, None),
        (b"", None),
    ],
)
def test_a_file_is_recognised_by_its_content(content, library):
    assert library_of_file(content) == library


@pytest.mark.parametrize(
    ("suffix", "content", "library"),
    [
        (".json", b'{"learner": {}}', "xgboost"),
        (".model", b"tree\nend of trees", "lightgbm"),
        (".cbm", b"CBM1", "catboost"),
    ],
)
def test_a_library_that_is_not_installed_is_named_with_its_extra(
    tmp_path, monkeypatch, suffix, content, library
):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(LibraryMissing, match=rf"pip install 'modstream\[{library}\]'"):
        import_file("m", path, trust_pickle=False)
