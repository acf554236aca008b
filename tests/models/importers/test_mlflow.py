"""Import of the folders of MLflow models."""

import json
import pickle

import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from modstream.models.errors import (
    NotConvertible,
    PickleNotTrusted,
    UnknownModelFile,
    UnreadableArtifact,
)
from modstream.models.importers.description import ModelDescription
from modstream.models.importers.import_file import import_file
from modstream.models.importers.mlflow import read_mlflow
from modstream.models.schema.input_schema import Feature
from tests.models.onnx_graphs import summing_graph

COLUMNS = [
    {"type": "double", "name": "a", "required": True},
    {"type": "long", "name": "b", "required": True},
]
TABLE = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1, 0, 1, 0]})
FEATURES = (Feature(name="a", kind="float"), Feature(name="b", kind="int"))
NOTHING = ModelDescription()


def folder_of(tmp_path, flavors, inputs=COLUMNS, files=None, **more):
    """Write the folder of a model as MLflow does."""
    document = {"flavors": {"python_function": {}, **flavors}, **more}
    if inputs is not None:
        document["signature"] = {"inputs": json.dumps(inputs), "outputs": None}
    (tmp_path / "MLmodel").write_text(json.dumps(document))  # JSON is YAML
    for name, content in (files or {}).items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def sklearn_folder(tmp_path, **more):
    model = LogisticRegression().fit(TABLE, [False, False, True, True])
    flavor = {"pickled_model": "model.pkl", "serialization_format": "cloudpickle"}
    return folder_of(
        tmp_path, {"sklearn": flavor}, files={"model.pkl": pickle.dumps(model)}, **more
    )


def test_a_scikit_learn_flavor_has_the_features_of_its_signature(tmp_path):
    spec, artifact, samples = import_file("m", sklearn_folder(tmp_path), trust_pickle=True)

    assert spec.task == "binary"
    assert [(one.name, one.kind) for one in spec.input_schema.features] == [
        ("a", "float"),
        ("b", "int"),
    ]
    assert artifact
    assert samples.rows


def test_its_pickle_has_to_be_trusted(tmp_path):
    with pytest.raises(PickleNotTrusted, match=r"model\.pkl is a pickle"):
        import_file("m", sklearn_folder(tmp_path), trust_pickle=False)


def test_an_onnx_flavor_needs_no_trust_and_goes_first(tmp_path):
    inputs = [{"type": "float", "name": "length"}, {"type": "float", "name": "width"}]
    flavors = {"sklearn": {"pickled_model": "model.pkl"}, "onnx": {"data": "model.onnx"}}
    folder = folder_of(tmp_path, flavors, inputs, {"model.onnx": summing_graph()})

    spec, *_ = import_file("m", folder, trust_pickle=False)

    assert (spec.runtime, spec.input_schema.names) == ("onnx", ("length", "width"))


def test_a_signature_of_tensors_names_no_features(tmp_path):
    tensor = [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}]
    folder = folder_of(
        tmp_path, {"onnx": {"data": "model.onnx"}}, tensor, {"model.onnx": summing_graph()}
    )

    assert read_mlflow(folder, NOTHING).description.features == ()
    assert import_file("m", folder, trust_pickle=False).spec.input_schema.names == ("x0", "x1")


def test_a_column_that_is_not_required_may_be_missing(tmp_path):
    inputs = [{"type": "double", "name": "a", "required": False}, COLUMNS[1]]
    folder = folder_of(tmp_path, {"onnx": {"data": "m"}}, inputs, {"m": b""})

    features = read_mlflow(folder, NOTHING).description.features

    assert [feature.missing for feature in features] == [True, False]


def test_the_caller_knows_better_than_the_signature(tmp_path):
    described = ModelDescription(features=(Feature(name="a", kind="string"),), task="binary")
    folder = sklearn_folder(tmp_path)

    found = read_mlflow(folder, described).description

    assert (found.features, found.task) == (described.features, "binary")


def test_the_input_example_gives_sample_rows(tmp_path):
    info = {"artifact_path": "input_example.json", "type": "dataframe", "pandas_orient": "split"}
    folder = sklearn_folder(tmp_path, saved_input_example_info=info)
    example = {"columns": ["a", "b"], "data": [[0.5, 1], [None, 0]]}
    (folder / "input_example.json").write_text(json.dumps(example))

    samples = read_mlflow(folder, NOTHING).description.samples

    assert samples == [{"a": 0.5, "b": 1}, {"a": None, "b": 0}]


@pytest.mark.parametrize(
    ("flavors", "inputs", "error", "reason"),
    [
        ({"pytorch": {}}, None, NotConvertible, "flavors are pytorch, and only onnx, sklearn"),
        ({}, None, NotConvertible, "its flavors are none"),
        (
            {"onnx": {"data": "model.onnx"}},
            [{"type": "datetime", "name": "when"}],
            NotConvertible,
            "the column 'when' of its signature has the type datetime",
        ),
        ({"onnx": {"data": "model.onnx"}}, None, UnreadableArtifact, "model.onnx is missing"),
        ({"onnx": {"data": "../m.onnx"}}, None, UnreadableArtifact, "outside its folder"),
        ({"onnx": {"data": "/etc/passwd"}}, None, UnreadableArtifact, "outside its folder"),
        ({"onnx": {}}, None, UnreadableArtifact, "KeyError"),
    ],
)
def test_a_model_that_cannot_be_served_is_refused(tmp_path, flavors, inputs, error, reason):
    with pytest.raises(error, match=reason):
        import_file("m", folder_of(tmp_path, flavors, inputs), trust_pickle=True)


@pytest.mark.parametrize(
    ("flavor", "name", "file_format"),
    [
        ("xgboost", "model.ubj", "boosting"),
        ("lightgbm", "model.pkl", "pickle"),
        ("catboost", "model.cb", "boosting"),
    ],
)
def test_the_file_of_gradient_boosting_is_found(tmp_path, flavor, name, file_format):
    folder = folder_of(tmp_path, {flavor: {"data": name}}, files={name: b""})

    found = read_mlflow(folder, NOTHING)

    assert (found.file, found.format) == (folder / name, file_format)


@pytest.mark.parametrize(
    "text", ["{", "[1, 2]", "!!python/object/apply:os.abort []", "a: [" * 5000]
)
def test_a_damaged_description_is_reported(tmp_path, text):
    (tmp_path / "MLmodel").write_text(text)

    with pytest.raises(UnreadableArtifact, match="the mlflow artifact cannot be read"):
        import_file("m", tmp_path, trust_pickle=True)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(UnknownModelFile, match="has no file MLmodel"):
        import_file("m", tmp_path, trust_pickle=True)
