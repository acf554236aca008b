"""Import of ONNX, scikit-learn and unknown files."""

import pickle

import joblib
import numpy as np
import pytest
from onnx import TensorProto, helper
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression

from modstream.models.errors import (
    ExternalData,
    NotConvertible,
    PickleNotTrusted,
    UnknownModelFile,
    UnreadableArtifact,
)
from modstream.models.importers.import_file import import_file
from modstream.models.importers.onnx import import_onnx
from modstream.models.runtimes.sklearn_runtime import pack
from tests.models import hostile_artifacts

_POINTS = np.random.default_rng(0).normal(size=(60, 2))


def classifier():
    return LogisticRegression().fit(_POINTS, _POINTS[:, 0] > 0)


def onnx_bytes(inputs, width, output_type=TensorProto.FLOAT):
    """Return an ONNX model with these inputs, {name: (type, width)}, and one output [n, width]."""
    values = [helper.make_tensor_value_info(n, t, [None, w]) for n, (t, w) in inputs.items()]
    output = helper.make_tensor_value_info("y", output_type, [None, width])
    node = helper.make_node("Identity", [next(iter(inputs))], ["y"])
    graph = helper.make_graph([node], "g", values, [output])
    return helper.make_model(graph).SerializeToString()


def features(spec):
    return {feature.name: feature.kind for feature in spec.input_schema.features}


@pytest.mark.parametrize(
    ("width", "task", "classes"),
    [(1, "regression", ()), (2, "binary", (0, 1)), (3, "multiclass", (0, 1, 2))],
)
def test_the_width_of_an_onnx_output_decides_the_task(tmp_path, width, task, classes):
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx_bytes({"features": (TensorProto.FLOAT, 3)}, width))

    spec, artifact = import_file("m", path, trust_pickle=False)

    assert (spec.task, spec.classes, spec.runtime) == (task, classes, "onnx")
    assert features(spec) == {"x0": "float", "x1": "float", "x2": "float"}
    assert artifact


def test_several_onnx_inputs_are_features_by_name():
    inputs = {"age": (TensorProto.INT64, 1), "city": (TensorProto.STRING, 1)}

    spec, _ = import_onnx("m", onnx_bytes(inputs, 1))

    assert features(spec) == {"age": "int", "city": "string"}


def test_an_onnx_input_of_an_unknown_type_is_named():
    inputs = {"a": (TensorProto.FLOAT, 1), "b": (TensorProto.COMPLEX64, 1)}

    with pytest.raises(UnreadableArtifact, match="input 'b' has a type that no feature has; use"):
        import_onnx("m", onnx_bytes(inputs, 1))


def test_an_onnx_model_without_a_float_output_is_rejected():
    content = onnx_bytes({"a": (TensorProto.INT64, 1)}, 1, output_type=TensorProto.INT64)

    with pytest.raises(UnreadableArtifact, match="none of its outputs is a tensor of floats"):
        import_onnx("m", content)


def test_an_onnx_model_with_external_data_is_rejected():
    with pytest.raises(ExternalData):
        import_onnx("m", hostile_artifacts.external_data()["initializer"])


def test_a_skops_file_is_exported_to_onnx(tmp_path):
    path = tmp_path / "model.skops"
    path.write_bytes(pack(classifier()))

    spec, _ = import_file("m", path, trust_pickle=False, note="mine")

    assert (spec.runtime, spec.task, spec.note) == ("onnx", "binary", "mine")


@pytest.mark.parametrize("suffix", [".joblib", ".pkl", ".pickle"])
def test_a_pickle_has_to_be_trusted(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    (joblib.dump if suffix == ".joblib" else dump)(classifier(), path)

    with pytest.raises(PickleNotTrusted, match=f"model{suffix} is a pickle"):
        import_file("m", path, trust_pickle=False)

    assert import_file("m", path, trust_pickle=True).spec.note == "LogisticRegression"


def dump(model, path):
    path.write_bytes(pickle.dumps(model))


def test_a_model_without_an_onnx_form_is_kept_as_skops(tmp_path):
    path = tmp_path / "model.pkl"
    dump(HistGradientBoostingRegressor(max_iter=2).fit(_POINTS, _POINTS[:, 0]), path)

    spec, _ = import_file("m", path, trust_pickle=True)

    assert spec.runtime == "sklearn"
    assert set(spec.libraries) == {"scikit-learn", "skops"}


def test_a_damaged_pickle_is_reported_as_unreadable(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(classifier())[:-20])

    with pytest.raises(UnreadableArtifact, match="the pickle artifact cannot be read"):
        import_file("m", path, trust_pickle=True)


def test_a_pickle_that_is_not_a_model_is_rejected(tmp_path):
    path = tmp_path / "model.pkl"
    dump([1, 2], path)

    with pytest.raises(NotConvertible, match="list cannot be exported"):
        import_file("m", path, trust_pickle=True)


def test_a_file_with_an_unknown_suffix_is_rejected(tmp_path):
    path = tmp_path / "model.h5"
    path.write_bytes(b"")

    with pytest.raises(UnknownModelFile, match=r"model\.h5"):
        import_file("m", path, trust_pickle=True)
