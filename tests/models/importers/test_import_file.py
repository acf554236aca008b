"""Import of scikit-learn and unknown files."""

import pickle

import joblib
import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression

from modstream.models.errors import (
    NotConvertible,
    PickleNotTrusted,
    UnknownModelFile,
    UnreadableArtifact,
)
from modstream.models.importers.import_file import import_file
from modstream.models.runtimes.sklearn_runtime import pack

_POINTS = np.random.default_rng(0).normal(size=(60, 2))


def classifier():
    return LogisticRegression().fit(_POINTS, _POINTS[:, 0] > 0)


def test_a_skops_file_is_exported_to_onnx(tmp_path):
    path = tmp_path / "model.skops"
    path.write_bytes(pack(classifier()))

    spec, *_ = import_file("m", path, trust_pickle=False, note="mine")

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

    spec, *_ = import_file("m", path, trust_pickle=True)

    assert spec.runtime == "sklearn"
    assert set(spec.libraries) == {"scikit-learn", "skops"}


def test_a_damaged_pickle_is_reported_as_unreadable(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(classifier())[:-20])

    with pytest.raises(UnreadableArtifact, match="the pickle artifact cannot be read"):
        import_file("m", path, trust_pickle=True)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("m.skops", b"hello", r"no skops file, .*: save it again with skops\.io\.dump"),
        ("m.pkl", b"cunknown_module\nModel\n.", "install what the model was made with"),
        ("m.pkl", b"hello", "copy it again, or save the model again"),
        (
            "m.river",
            b"hello",
            "or save the model with pickle as .pkl and publish that with --trust",
        ),
        ("m.river", pickle.dumps(1), r"write it with .*artifact\.pack\(model\)"),
        ("m.onnx", b"hello", "only a part of one: copy or export it again"),
    ],
)
def test_a_damaged_file_is_refused_with_what_to_do(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(UnreadableArtifact, match=reason):
        import_file("m", tmp_path / name, trust_pickle=True)


def test_a_pickle_that_is_not_a_model_is_rejected(tmp_path):
    path = tmp_path / "model.pkl"
    dump([1, 2], path)

    with pytest.raises(NotConvertible, match="list cannot be published"):
        import_file("m", path, trust_pickle=True)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("model.h5", r"model\.export\('model\.onnx', format='onnx'\)"),
        ("model.pt", r"torch\.onnx\.export\(model, example, 'model\.onnx'"),
        ("model.bin", r"give an \.onnx, \.skops, \.river"),
        ("model.json", r"a file of XGBoost \(\.json, \.ubj\)"),
    ],
)
def test_a_file_that_is_no_model_is_rejected_with_what_to_do(tmp_path, name, remedy):
    path = tmp_path / name
    path.write_bytes(b"{}")

    with pytest.raises(UnknownModelFile, match=f"{name} is no model file .*{remedy}"):
        import_file("m", path, trust_pickle=True)
