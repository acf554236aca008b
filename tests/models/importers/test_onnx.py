"""Import of ONNX models: meaning is read from the graph or asked for, never guessed.

`tests/zoo/onnx_graphs.py` has more graphs, each compared with its own run.
"""

import json
import warnings

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn import datasets
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.mixture import GaussianMixture
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC, OneClassSVM

from modstream.models.errors import (
    ExternalData,
    MeaningUnknown,
    OptionNotSupported,
    PredictTimedOut,
    UnreadableArtifact,
)
from modstream.models.importers.description import ModelDescription
from modstream.models.importers.import_file import import_file
from modstream.models.importers.onnx.importer import import_onnx
from modstream.models.runtimes.onnx_rows import RowRunner
from modstream.models.schema.input_schema import Feature
from modstream.processors.predict.engine import Rejection
from tests.models import hostile_artifacts
from tests.zoo.engine import ask, row_requests
from tests.zoo.onnx_cases import floats, graph, ints, ml, node, value_info

IRIS = datasets.load_iris()
FLOWERS, KINDS = IRIS.data.astype(np.float32), IRIS.target
TWO = KINDS != 2
SHOWN = FLOWERS[[0, 60, 80]]
W = np.array([[1.0, -0.5, 0.25], [-0.75, 1.0, 0.5]], np.float32)
IN = [floats("X", "n", 2)]
LOGITS = node("MatMul", ["X", "W"], ["Z"])


def export(model, **options):
    """Return a fitted scikit-learn model as its exporter writes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the exporter reads deprecated attributes
        return convert_sklearn(
            model,
            initial_types=[("X", FloatTensorType([None, 4]))],
            options={id(model): options} if options else None,
            target_opset={"": 18, "ai.onnx.ml": 3},
        ).SerializeToString()


def import_graph(model, **description):
    return import_onnx("m", model.SerializeToString(), description=ModelDescription(**description))


def answers(imported, rows):
    """Return the outputs by name for each row of an array, or the refusals."""
    names = imported.spec.input_schema.names
    requests = row_requests([dict(zip(names, row, strict=True)) for row in rows.tolist()])
    return [
        one.reason if isinstance(one, Rejection) else one.outputs for one in ask(imported, requests)
    ]


def test_an_onnx_file_is_imported(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(export(LinearRegression().fit(FLOWERS, KINDS)))

    spec, artifact, samples = import_file("m", path, trust_pickle=False)

    assert (spec.task, spec.runtime, spec.note) == ("regression", "onnx", "an ONNX model")
    assert spec.input_schema.names == ("x0", "x1", "x2", "x3")
    assert artifact
    assert samples.rows
    assert 0 < len(spec.sample_rows) <= 4


@pytest.mark.parametrize(
    ("model", "options"),
    [
        pytest.param(LogisticRegression(max_iter=1000), {"zipmap": False}, id="logistic"),
        pytest.param(LogisticRegression(max_iter=1000), {}, id="zipmap"),
        pytest.param(LogisticRegression(max_iter=1000), {"zipmap": "columns"}, id="columns"),
        pytest.param(RandomForestClassifier(3, random_state=0), {"zipmap": False}, id="forest"),
        pytest.param(GaussianNB(), {"zipmap": False}, id="bayes"),
    ],
)
def test_classes_and_probabilities_are_read_from_the_graph(model, options):
    model.fit(FLOWERS, KINDS + 3)

    imported = import_onnx("m", export(model, **options))

    assert (imported.spec.task, imported.spec.classes) == ("multiclass", (3, 4, 5))
    for answer, expected in zip(
        answers(imported, SHOWN), model.predict_proba(SHOWN).tolist(), strict=True
    ):
        assert answer["label"] == 3 + int(np.argmax(expected))
        assert [*answer["probabilities"]] == ["3", "4", "5"]
        assert [*answer["probabilities"].values()] == pytest.approx(expected, abs=1e-5)


def test_the_margin_of_support_vectors_is_positive_for_the_second_class():
    model = SVC(random_state=5).fit(FLOWERS[TWO], np.array(["set", "ver"])[KINDS[TWO]])

    imported = import_onnx("m", export(model, zipmap=False))

    assert (imported.spec.task, imported.spec.scores) == ("binary", "margin")
    found = answers(imported, SHOWN)
    assert [one["label"] for one in found] == model.predict(SHOWN).tolist()
    assert [one["margin"] for one in found] == pytest.approx(
        model.decision_function(SHOWN).tolist(), abs=1e-5
    )


@pytest.mark.parametrize("model", [SVC(), RidgeClassifier()], ids=["svc", "ridge"])
def test_margins_of_several_classes_have_the_names_of_the_classes(model):
    model.fit(FLOWERS, np.array(["set", "ver", "vir"])[KINDS])

    imported = import_onnx("m", export(model, zipmap=False))

    assert (imported.spec.task, imported.spec.scores) == ("multiclass", "margin")
    expected = model.decision_function(SHOWN).tolist()
    for answer, label, margins in zip(
        answers(imported, SHOWN), model.predict(SHOWN).tolist(), expected, strict=True
    ):
        assert answer["label"] == label
        assert answer["margins"] == pytest.approx(
            dict(zip(("set", "ver", "vir"), margins, strict=True)), abs=1e-4
        )


@pytest.mark.parametrize(
    "model",
    [LinearRegression(), RandomForestRegressor(3, random_state=0),
     MultiOutputRegressor(LinearRegression())],
    ids=["linear", "forest", "wrapped"],
)  # fmt: skip
def test_two_targets_are_values_by_target(model):
    model.fit(FLOWERS, np.column_stack([KINDS, -KINDS]))

    imported = import_onnx("m", export(model))

    assert imported.spec.task == "multioutput_regression"
    assert [list(one["values"]) for one in answers(imported, SHOWN)] == [["y0", "y1"]] * 3
    found = [list(one["values"].values()) for one in answers(imported, SHOWN)]
    np.testing.assert_allclose(found, model.predict(SHOWN), atol=1e-4)


def test_labels_of_several_targets_have_the_classes_of_their_parts():
    kinds = np.column_stack([np.array(["a", "b", "c"])[KINDS], np.array(["x", "y"])[KINDS % 2]])
    model = MultiOutputClassifier(LogisticRegression(max_iter=1000)).fit(FLOWERS, kinds)

    imported = import_onnx("m", export(model, zipmap=False))

    assert imported.spec.task == "multioutput_classification"
    assert [target.classes for target in imported.spec.targets] == [("a", "b", "c"), ("x", "y")]
    found = [list(one["labels"].values()) for one in answers(imported, SHOWN)]
    assert found == model.predict(SHOWN).tolist()


def test_a_clustering_has_distances_from_its_clusters():
    model = KMeans(3, n_init=1, random_state=0).fit(FLOWERS)

    imported = import_onnx("m", export(model))

    assert (imported.spec.task, imported.spec.scores) == ("clustering", "distance")
    found = answers(imported, SHOWN)
    assert [one["label"] for one in found] == model.predict(SHOWN).tolist()
    np.testing.assert_allclose(
        [list(one["distances"].values()) for one in found], model.transform(SHOWN), atol=1e-4
    )


def test_a_mixture_has_probabilities_of_its_components():
    model = GaussianMixture(3, random_state=0).fit(FLOWERS)

    imported = import_onnx("m", export(model))

    assert (imported.spec.task, imported.spec.scores) == ("clustering", "probability")
    assert [one["label"] for one in answers(imported, SHOWN)] == model.predict(SHOWN).tolist()


@pytest.mark.parametrize(
    "model", [IsolationForest(n_estimators=5, random_state=0), OneClassSVM()], ids=["trees", "svm"]
)
def test_the_score_of_a_detector_is_higher_for_anomalies(model):
    model.fit(FLOWERS)
    rows = np.vstack([SHOWN, [[90.0, 90.0, 90.0, 90.0]]]).astype(np.float32)

    imported = import_onnx("m", export(model))

    assert imported.spec.task == "anomaly"
    scores = [one["score"] for one in answers(imported, rows)]
    np.testing.assert_allclose(scores, -model.decision_function(rows), rtol=1e-3, atol=1e-3)
    assert scores[-1] > 0


def test_scores_of_a_detector_without_labels_are_kept_if_the_caller_says_what_they_are():
    model = graph([LOGITS], IN, [floats("Z", "n", 1)], {"W": W[:, :1]})

    imported = import_graph(model, task="anomaly")

    assert answers(imported, np.array([[2.0, 0.0]], np.float32)) == [{"score": 2.0}]


def test_labels_that_do_not_show_which_scores_are_anomalous_are_asked_about():
    nodes = [LOGITS, node("Abs", ["Z"], ["S"]), node("Sign", ["Z"], ["g"]),
             node("Cast", ["g"], ["L"], to=TensorProto.INT64)]  # fmt: skip
    model = graph(nodes, IN, [ints("L", "n", 1), floats("S", "n", 1)], {"W": W[:, :1]})

    with pytest.raises(MeaningUnknown, match="which of its scores are anomalous"):
        import_graph(model, task="anomaly")


@pytest.mark.parametrize(
    ("classes", "reason"),
    [
        (("a", "b"), "the graph has 3 classes: 0, 1, 2"),
        ((2, 1, 0), "the graph's order is 0, 1, 2"),
        ((0.0, 2.0, 1.0), "the graph's order is 0, 1, 2"),
    ],
)
def test_classes_that_contradict_the_graph_are_refused(classes, reason):
    content = export(RidgeClassifier().fit(FLOWERS, KINDS), zipmap=False)

    with pytest.raises(OptionNotSupported, match=f"--class cannot be honoured: {reason}"):
        import_onnx("m", content, description=ModelDescription(classes=classes))


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        ({"task": "regression"}, "--task cannot be honoured: the graph is a classifier of 3"),
        ({"task": "binary"}, "--task cannot be honoured: the graph has 3 classes"),
        ({"task": "forecast"}, "--task cannot be honoured: an ONNX graph is no forecast"),
        ({"scores": "margin"}, r"--scores cannot be honoured: .* are probabilities"),
        (
            {"features": (Feature(name="a", kind="float"),)},
            "--feature cannot be honoured: the graph takes 4 features, not 1",
        ),
        ({"samples": [{"x0": 1.0}]}, "--sample cannot be honoured: row 1: .*x1"),
    ],
)
def test_an_option_that_contradicts_the_graph_is_refused(description, reason):
    content = export(LogisticRegression(max_iter=1000).fit(FLOWERS, KINDS))

    with pytest.raises(OptionNotSupported, match=reason):
        import_onnx("m", content, description=ModelDescription(**description))


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        ({"task": "regression"}, "has 3 columns; use multioutput_regression"),
        ({"task": "regression", "classes": (0, 1)}, "--class cannot .* a regression has none"),
        ({"task": "multiclass", "classes": (0, 1)}, "the output 'Z'.* has 3 columns"),
        ({"task": "multiclass", "classes": ("a", "b", "a")}, "two classes have the same name"),
        ({"task": "multiclass", "scores": "none"}, "the graph has no output of labels"),
        ({"task": "anomaly"}, "is not one score per row"),
        ({"task": "clustering", "scores": "distance", "classes": (0, 1)}, "has 3 clusters"),
    ],
)
def test_a_task_that_the_columns_contradict_is_refused(description, reason):
    model = graph([LOGITS], IN, [floats("Z", "n", 3)], {"W": W})

    with pytest.raises(OptionNotSupported, match=reason):
        import_graph(model, **description)


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("multioutput_regression", {"values": {"y0": 2.0, "y1": -1.0, "y2": 0.5}}),
        ("transformation", {"features": {"y0": 2.0, "y1": -1.0, "y2": 0.5}}),
    ],
)
def test_the_caller_says_what_columns_are(task, expected):
    model = graph([LOGITS], IN, [floats("Z", "n", 3)], {"W": W})

    imported = import_graph(model, task=task)

    assert answers(imported, np.array([[2.0, 0.0]], np.float32)) == [expected]


def test_logits_of_named_classes_are_margins():
    model = graph([LOGITS], IN, [floats("Z", "n", 3)], {"W": W})

    imported = import_graph(model, task="multiclass", classes=("a", "b", "c"), scores="margin")

    assert answers(imported, np.array([[2.0, 0.0]], np.float32)) == [
        {"label": "a", "margins": {"a": 2.0, "b": -1.0, "c": 0.5}}
    ]


def test_logits_beside_their_greatest_index_are_margins_and_no_probabilities():
    nodes = [LOGITS, node("ArgMax", ["Z"], ["L"], axis=1, keepdims=0)]
    model = graph(nodes, IN, [ints("L", "n"), floats("Z", "n", 3)], {"W": W})

    spec, *_ = import_graph(model)

    assert (spec.task, spec.scores, spec.classes) == ("multiclass", "margin", (0, 1, 2))


def test_a_softmax_over_the_rows_says_nothing_about_classes():
    model = graph([LOGITS, node("Softmax", ["Z"], ["Y"], axis=0)], IN, [floats("Y", "n", 3)],
                  {"W": W})  # fmt: skip

    with pytest.raises(MeaningUnknown, match="what its outputs mean"):
        import_graph(model)


def test_the_artifact_has_only_the_outputs_that_its_card_describes():
    content = export(LogisticRegression(max_iter=1000).fit(FLOWERS, KINDS))

    imported = import_onnx("m", content)

    names = [output.name for output in ModelProto.FromString(imported.artifact).graph.output]
    assert names == ["probabilities"]


@pytest.mark.parametrize("operator", ["ReduceMean", "Transpose"])
def test_an_output_that_is_no_list_of_rows_is_refused(operator):
    options = {"keepdims": 0} if operator == "ReduceMean" else {"perm": [1, 0]}
    model = graph([node(operator, ["X"], ["Y"], **options)], IN,
                  [value_info("Y", TensorProto.FLOAT, None)])  # fmt: skip

    with pytest.raises(UnreadableArtifact, match="for 64 rows; publish it with --task tensors"):
        import_graph(model, task="multioutput_regression")


def test_the_scores_of_a_classifier_without_its_labels_have_its_classes():
    scores = ml("LinearClassifier", ["X"], ["L", "S"], classlabels_strings=["a", "b", "c"],
                coefficients=W.T.ravel().tolist(), intercepts=[0.0] * 3, multi_class=1,
                post_transform="SOFTMAX")  # fmt: skip
    model = graph([scores], IN, [floats("S", "n", 3)])

    spec, *_ = import_graph(model)

    assert (spec.task, spec.scores, spec.classes) == ("multiclass", "probability", ("a", "b", "c"))


def test_calibrated_support_vectors_have_probabilities():
    svm = ml("SVMClassifier", ["X"], ["L", "S"], classlabels_ints=[0, 1], kernel_type="LINEAR",
             support_vectors=[1.0, 0.0, 0.0, 1.0], vectors_per_class=[1, 1], rho=[0.1],
             coefficients=[1.0, -1.0], kernel_params=[0.0] * 3, prob_a=[-1.0],
             prob_b=[0.0])  # fmt: skip
    model = graph([svm], IN, [ints("L", "n"), floats("S", "n", 2)])

    spec, *_ = import_graph(model)

    assert (spec.task, spec.scores) == ("binary", "probability")


def test_labels_that_are_floats_are_labels():
    nodes = [LOGITS, node("ArgMax", ["Z"], ["a"], axis=1, keepdims=0),
             node("Cast", ["a"], ["prediction"], to=TensorProto.FLOAT)]  # fmt: skip
    model = graph(nodes, IN, [floats("prediction", "n")], {"W": W})

    with pytest.raises(MeaningUnknown, match="--task multiclass and a --class for each class"):
        import_graph(model)
    imported = import_graph(model, classes=("a", "b", "c"))

    assert answers(imported, np.array([[2.0, 0.0]], np.float32)) == [{"label": "a"}]


def test_every_type_of_integer_rejects_what_it_does_not_hold():
    widest = {"INT8": 127, "INT16": 2**15 - 1, "INT32": 2**31 - 1, "UINT8": 255,
              "UINT16": 2**16 - 1, "UINT32": 2**32 - 1}  # fmt: skip
    for name, most in widest.items():
        elem_type = TensorProto.DataType.Value(name)
        model = graph([node("Cast", ["i"], ["Y"], to=TensorProto.DOUBLE)],
                      [value_info("i", elem_type, ["n", 1])],
                      [value_info("Y", TensorProto.DOUBLE, ["n", 1])])  # fmt: skip
        requests = row_requests([{"i": one} for one in (most, most + 1, 2**32 + 1, 2.7)])

        found = ask(import_graph(model), requests)

        assert found[0].outputs == {"value": most}
        assert [one.reason.code for one in found[1:]] == [
            "out_of_range", "out_of_range", "wrong_type",
        ], name  # fmt: skip


@pytest.mark.parametrize("elem_type", [TensorProto.INT64, TensorProto.INT32])
def test_a_matrix_of_integers_does_not_take_fractions(elem_type):
    nodes = [
        node("Cast", ["X"], ["F"], to=TensorProto.FLOAT),
        node("ReduceSum", ["F", "axis"], ["Y"]),
    ]
    inputs = [value_info("X", elem_type, ["n", 2])]
    model = graph(nodes, inputs, [floats("Y", "n", 1)], {"axis": np.array([1])})

    imported = import_graph(model)

    assert [feature.kind for feature in imported.spec.input_schema.features] == ["int", "int"]
    (found,) = answers(imported, np.array([[2.7, 1.0]]))
    assert found.code == "wrong_type"


def test_features_are_renamed_and_typed_in_order():
    described = (
        Feature(name="length", kind="float", missing=True),
        Feature(name="new", kind="bool"),
    )
    model = graph([node("IsNaN", ["X"], ["nan"]), node("Where", ["nan", "none", "X"], ["x"]),
                   node("MatMul", ["x", "W"], ["Y"])], IN, [floats("Y", "n", 1)],
                  {"W": np.ones((2, 1), np.float32), "none": np.array(-5, np.float32)})  # fmt: skip

    imported = import_graph(model, features=described)

    found = ask(imported, row_requests([{"length": None, "new": True}, {"length": 2.0}]))
    assert found[0].outputs == {"value": -4.0}
    assert found[1].reason.code == "missing_feature"
    assert imported.spec.input_schema.features[0].dtype == "float32"


@pytest.mark.parametrize(
    ("feature", "reason"),
    [
        (Feature(name="a", kind="float"), "a is a float, but the input 'i'.* takes ints"),
        (Feature(name="a", kind="string"), "a is a string, but the input 'i'.* takes ints"),
    ],
)
def test_a_feature_that_its_input_cannot_hold_is_refused(feature, reason):
    model = graph([node("Cast", ["i"], ["Y"], to=TensorProto.FLOAT)], [ints("i", "n", 1)],
                  [floats("Y", "n", 1)])  # fmt: skip

    with pytest.raises(OptionNotSupported, match=reason):
        import_graph(model, features=(feature,))


def test_features_of_named_inputs_are_matched_by_name_or_order():
    inputs = [floats("a", "n", 1), floats("b", "n", 1)]
    model = graph([node("Sub", ["a", "b"], ["Y"])], inputs, [floats("Y", "n", 1)])
    for names in (("b", "a"), ("first", "second")):
        features = tuple(Feature(name=name, kind="float") for name in names)
        row = {"a": 5.0, "b": 2.0, "first": 5.0, "second": 2.0}

        (found,) = ask(import_graph(model, features=features), row_requests([row]))

        assert found.outputs == {"value": 3.0}


def test_tensors_refuse_options_of_rows():
    model = graph([node("Identity", ["X"], ["Y"])], [floats("X", "n", 3, 4)],
                  [floats("Y", "n", 3, 4)])  # fmt: skip

    assert import_graph(model).spec.task == "tensors"
    with pytest.raises(OptionNotSupported, match=r"--task .* tensors, not features of rows"):
        import_graph(model, task="regression")
    with pytest.raises(OptionNotSupported, match="--feature"):
        import_graph(model, features=(Feature(name="a", kind="float"),))


def test_class_names_in_the_metadata_name_the_columns():
    model = graph([LOGITS, node("Softmax", ["Z"], ["Y"])], IN, [floats("Y", "n", 3)], {"W": W})
    model.metadata_props.add(key="class_names", value=json.dumps(["a", "b", "c"]))

    assert import_graph(model).spec.classes == ("a", "b", "c")


def test_an_optional_output_is_left_out():
    optional = helper.make_value_info(
        "O", helper.make_optional_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    )
    nodes = [LOGITS, node("Optional", ["Z"], ["O"])]
    model = graph(nodes, IN, [optional, floats("Z", "n", 1)], {"W": W[:, :1]})

    assert import_graph(model).spec.task == "regression"


def test_an_encoder_is_sampled_with_words_that_it_knows():
    encoder = ml("OneHotEncoder", ["s"], ["Y"], cats_strings=["red", "blue"], zeros=0)
    model = graph([encoder], [value_info("s", TensorProto.STRING, ["n", 1])],
                  [floats("Y", "n", 1, 2)])  # fmt: skip

    spec, *_ = import_graph(model)

    assert spec.task == "transformation"
    assert {row["s"] for row in spec.sample_rows} <= {"red", "blue"}


def test_rows_that_were_made_up_need_no_prediction():
    encoder = ml("OneHotEncoder", ["s"], ["Y"], cats_int64s=[3, 4], zeros=0)
    model = graph([encoder], [ints("s", "n", 1)], [floats("Y", "n", 1, 2)])

    spec, *_ = import_graph(model)

    assert {row["s"] for row in spec.sample_rows} <= {3, 4}


def test_a_graph_that_predicts_no_made_up_row_asks_for_samples():
    encoder = ml("OneHotEncoder", ["s"], ["Y"], cats_int64s=[300, 400], zeros=0)
    model = graph([encoder], [ints("s", "n", 1)], [floats("Y", "n", 1, 2)])

    with pytest.raises(MeaningUnknown, match=r"which rows it can predict .*: give some with"):
        import_graph(model)
    imported = import_graph(model, samples=[{"s": 300}, {"s": 400}])

    assert [row["s"] for row in imported.spec.sample_rows] == [300, 400]
    with pytest.raises(OptionNotSupported, match="--sample cannot be honoured: the onnx runtime"):
        import_graph(model, samples=[{"s": 5}])


def test_a_slow_graph_is_probed_with_two_rows(monkeypatch):
    model = graph([LOGITS], IN, [floats("Z", "n", 1)], {"W": W[:, :1]})
    run, sizes = RowRunner.run_unchecked, []

    def slow(runner, outputs, batch):
        sizes.append(batch.size)
        if batch.size > 2:
            raise PredictTimedOut("onnx", batch.size, 10)
        return run(runner, outputs, batch)

    monkeypatch.setattr(RowRunner, "run_unchecked", slow)

    assert import_graph(model).spec.task == "regression"
    assert sizes == [64, 2]


def test_an_onnx_model_with_external_data_is_rejected():
    with pytest.raises(ExternalData):
        import_onnx("m", hostile_artifacts.external_data()["initializer"])


def test_bytes_that_are_no_model_are_rejected():
    with pytest.raises(UnreadableArtifact, match="the onnx artifact cannot be read"):
        import_onnx("m", b"\xff" * 40)
