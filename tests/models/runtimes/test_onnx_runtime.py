"""The ONNX runtimes: limits of time and memory, fixed numbers of rows, labels, and tensors."""

import subprocess
import sys
import time
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from onnx import TensorProto, helper

from modstream.models.errors import PredictError, PredictTimedOut, UnreadableArtifact
from modstream.models.runtimes.onnx_runtime import load
from modstream.models.runtimes.runtime import NamedRuntime, Runtime, TensorRuntime
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard, Target, TensorSpec
from modstream.models.schema.input_schema import Feature, InputSchema
from tests.zoo.onnx_cases import floats, graph, ints, node, value_info

W = np.array([[1.0, -0.5, 0.25], [-0.75, 1.0, 0.5]], np.float32)
IN = [floats("X", "n", 2)]
LOGITS = node("MatMul", ["X", "W"], ["Z"])
TWO = InputSchema.of_floats(["a", "b"])


def open_model(model, schema=TWO, limit=10.0, **card):
    artifact = model.SerializeToString()
    fields = {
        "name": "m", "version": 1, "runtime": "onnx", "task": "regression", "input_schema": schema,
        "sha256": Artifact(artifact).sha256, "size": len(artifact),
        "created": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    return load(artifact, ModelCard(**fields | card), limit)


def batch(*rows, schema=TWO):
    return schema.parse_rows([dict(zip(schema.names, row, strict=True)) for row in rows]).batch


def endless_loop():
    """Return a graph that never ends: the loop's condition is always true."""
    scalar = value_info("i", TensorProto.INT64, []), value_info("c", TensorProto.BOOL, [])
    body = helper.make_graph(
        [node("Identity", ["c"], ["again"]), node("Add", ["s", "s"], ["next"])], "body",
        [*scalar, floats("s", "n", 2)],
        [value_info("again", TensorProto.BOOL, []), floats("next", "n", 2)],
    )  # fmt: skip
    weights = {"most": np.array(2**62), "true": np.array(True), "axis": np.array([1])}
    return graph(
        [node("Loop", ["most", "true", "X"], ["Z"], body=body),
         node("ReduceSum", ["Z", "axis"], ["Y"])], IN, [floats("Y", "n", 1)], weights,
    )  # fmt: skip


def long_chain():
    """Return a graph of very many multiplications, each of them short."""
    names = ["X", *(f"z{at}" for at in range(2000))]
    nodes = [node("MatMul", [a, "W"], [b]) for a, b in pairwise(names)]
    return graph(nodes, [floats("X", "n", 600)], [floats(names[-1], "n", 600)],
                 {"W": np.eye(600, dtype=np.float32)})  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ["loop", "chain"])
def test_a_run_that_exceeds_its_limit_is_ended_and_the_next_one_has_its_own_limit(name):
    if name == "loop":
        runtime, rows = open_model(endless_loop(), limit=0.3), batch((1.0, 2.0))
    else:
        schema = InputSchema.of_floats([f"f{at}" for at in range(600)])
        targets = tuple(Target(name=name) for name in schema.names)
        runtime = open_model(
            long_chain(), schema, limit=0.3, task="multioutput_regression", targets=targets
        )
        rows = batch(*[(1.0,) * 600] * 200, schema=schema)
    predict = runtime.predict if isinstance(runtime, Runtime) else runtime.predict_rows
    for _ in range(2):
        began = time.monotonic()

        with pytest.raises(PredictTimedOut, match=rf"{rows.size} rows? took longer than 0\.3 s"):
            predict(rows)

        assert time.monotonic() - began >= 0.3


def test_a_run_within_its_limit_is_not_ended_by_another_ones():
    quick = open_model(graph([LOGITS], IN, [floats("Z", "n", 1)], {"W": W[:, :1]}), limit=10.0)
    with pytest.raises(PredictTimedOut):
        open_model(endless_loop(), limit=0.2).predict(batch((1.0, 2.0)))

    assert quick.predict(batch((2.0, 0.0))).tolist() == [2.0]


def test_the_limit_of_one_row_graphs_is_that_of_the_whole_batch():
    slow = open_model(loop_over_one_row(2000), limit=0.5)
    one = batch((1.0, 2.0))
    assert slow.predict(one).tolist() == [0.0]

    with pytest.raises(PredictTimedOut, match="1000 rows took longer"):
        slow.predict(batch(*[(1.0, 2.0)] * 1000))


def loop_over_one_row(rounds):
    """Return a graph of one row whose loop has so many rounds and whose output is 0."""
    model = endless_loop()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    first = next(one for one in model.graph.initializer if one.name == "most")
    first.raw_data = np.array(rounds).tobytes()
    model.graph.node.insert(0, node("Sub", ["X", "X"], ["zeros"]))
    model.graph.node[1].input[2] = "zeros"
    return model


@pytest.mark.slow
def test_runs_are_limited_in_a_forked_process_too():
    program = (
        "import os\n"
        "from tests.models.runtimes.test_onnx_runtime import *\n"
        "def run():\n"
        "    with pytest.raises(PredictTimedOut):\n"
        "        open_model(endless_loop(), limit=0.2).predict(batch((1.0, 2.0)))\n"
        "run()\n"
        "child = os.fork()\n"
        "if child:\n"
        "    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "run()\n"
        "os._exit(7)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)

    assert done.returncode == 7


def test_a_tensor_beyond_the_memory_limit_is_an_error():
    nodes = [node("ConstantOfShape", ["size"], ["z"]), node("ReduceSum", ["z"], ["s"], keepdims=0),
             node("ReduceSum", ["X", "axis"], ["x"]), node("Add", ["x", "s"], ["Y"])]  # fmt: skip
    weights = {"size": np.array([2 * 10**9]), "axis": np.array([1])}
    runtime = open_model(graph(nodes, IN, [floats("Y", "n", 1)], weights))

    with pytest.raises(PredictError, match=r"Available memory of [0-9]+ is smaller"):
        runtime.predict(batch((1.0, 2.0)))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("fixed", [1, 3])
def test_a_fixed_number_of_rows_is_filled_up_and_cut(fixed, count):
    nodes = [node("ReduceSum", ["X", "axis"], ["Y"])]
    model = graph(nodes, [floats("X", fixed, 2)], [floats("Y", fixed, 1)], {"axis": np.array([1])})
    rows = [(float(at), 1.0) for at in range(count)]

    found = open_model(model).predict(batch(*rows))

    assert found.tolist() == [a + b for a, b in rows]


def test_outputs_that_are_no_rows_of_a_fixed_graph_are_an_error():
    model = graph([node("Transpose", ["X"], ["Y"])], [floats("X", 3, 2)], [floats("Y", 2, 3)])

    targets = (Target(name="u"), Target(name="v"))
    runtime = open_model(model, task="multioutput_regression", targets=targets)

    with pytest.raises(PredictError, match=r"an output of shape \[2, 3\] is not one of 3 rows"):
        runtime.predict_rows(batch((1.0, 2.0)))


@pytest.mark.parametrize("value", [2.7, 2.0**40])
def test_an_integer_input_of_an_older_card_never_gets_another_value(value):
    inputs = [value_info("i", TensorProto.INT32, ["n", 1])]
    model = graph([node("Cast", ["i"], ["Y"], to=TensorProto.FLOAT)], inputs, [floats("Y", "n", 1)])
    schema = InputSchema(features=(Feature(name="i", kind="float"),))
    runtime = open_model(model, schema)

    assert runtime.predict(batch((3.0,), schema=schema)).tolist() == [3.0]
    with pytest.raises(PredictError, match="input i takes int32 only"):
        runtime.predict(batch((value,), schema=schema))


def test_scores_of_anomalies_just_below_zero_are_no_rounding_errors():
    model = graph([LOGITS], IN, [floats("Z", "n", 1)], {"W": W[:, :1]})

    found = open_model(model, task="anomaly").predict(batch((-1e-6, 0.0)))

    assert found.tolist() == pytest.approx([-1e-6], rel=1e-3)
    assert found[0] < 0


def test_an_older_artifact_with_label_and_probabilities_has_its_probabilities():
    nodes = [LOGITS, node("Softmax", ["Z"], ["P"]), node("ArgMax", ["P"], ["L"], axis=1)]
    model = graph(nodes, IN, [ints("L", "n", 1), floats("P", "n", 3)], {"W": W})

    found = open_model(model, task="multiclass", classes=(0, 1, 2)).predict(batch((2.0, 0.0)))

    assert found.shape == (1, 3)
    assert found.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ({"task": "multiclass", "classes": ("a", "b", "c"), "scores": "margin"},
         {"label": "a", "margins": {"a": 2.0, "b": -1.0, "c": 0.5}}),
        ({"task": "multiclass", "classes": ("a", "b", "c"), "scores": "distance"},
         {"label": "b", "distances": {"a": 2.0, "b": -1.0, "c": 0.5}}),
        ({"task": "clustering", "scores": "distance"},
         {"label": 1, "distances": {"0": 2.0, "1": -1.0, "2": 0.5}}),
        ({"task": "multioutput_regression",
          "targets": tuple(Target(name=name) for name in "uvw")},
         {"values": {"u": 2.0, "v": -1.0, "w": 0.5}}),
    ],
)  # fmt: skip
def test_scores_without_labels_are_named_and_choose_the_label(card, expected):
    runtime = open_model(graph([LOGITS], IN, [floats("Z", "n", 3)], {"W": W}), **card)

    assert isinstance(runtime, NamedRuntime)
    assert runtime.predict_rows(batch((2.0, 0.0))) == [expected]
    assert runtime.predict_rows(batch()) == []


def test_the_sign_of_a_margin_chooses_the_label():
    model = graph([LOGITS], IN, [floats("Z", "n", 1)], {"W": W[:, :1]})
    runtime = open_model(model, task="binary", classes=("no", "yes"), scores="margin")

    assert runtime.predict_rows(batch((2.0, 0.0), (-2.0, 0.0))) == [
        {"label": "yes", "margin": 2.0}, {"label": "no", "margin": -2.0},
    ]  # fmt: skip


def test_labels_have_the_types_of_the_classes():
    model = graph([LOGITS, node("Greater", ["Z", "zero"], ["g"]),
                   node("Cast", ["g"], ["L"], to=TensorProto.INT64)], IN, [ints("L", "n", 1)],
                  {"W": W[:, :1], "zero": np.zeros(1, np.float32)})  # fmt: skip
    runtime = open_model(model, task="binary", classes=(False, True), scores="none")

    found = runtime.predict_rows(batch((2.0, 0.0), (-2.0, 0.0)))

    assert [row["label"] for row in found] == [True, False]
    assert {type(row["label"]) for row in found} == {bool}


def test_a_label_that_is_none_of_the_classes_is_an_error():
    model = graph([node("Cast", ["X"], ["L"], to=TensorProto.INT64)], [floats("X", "n", 1)],
                  [ints("L", "n", 1)])  # fmt: skip
    schema = InputSchema.of_floats(["x"])
    runtime = open_model(model, schema, task="binary", classes=(0, 1), scores="none")

    with pytest.raises(PredictError, match="7 is not one of the classes 0, 1"):
        runtime.predict_rows(batch((7.0,), schema=schema))


def test_a_card_of_scores_does_not_fit_a_graph_of_labels():
    model = graph([node("Cast", ["X"], ["L"], to=TensorProto.INT64)], IN, [ints("L", "n", 2)])

    with pytest.raises(UnreadableArtifact, match="no output for the card's labels and scores"):
        open_model(model, task="multiclass", classes=(0, 1, 2), scores="margin")


def test_tensors_go_in_and_out_by_name():
    model = graph([node("MatMul", ["A", "B"], ["Y"]), node("Shape", ["Y"], ["S"])],
                  [floats("A", "n", 2), floats("B", 2, "k")],
                  [floats("Y", "n", "k"), ints("S", 2)])  # fmt: skip
    card = {
        "task": "tensors",
        "input_tensors": (TensorSpec(name="A", datatype="FP32", shape=(None, 2)),
                          TensorSpec(name="B", datatype="FP32", shape=(2, None))),
        "output_tensors": (TensorSpec(name="Y", datatype="FP32", shape=(None, None)),),
    }  # fmt: skip
    none = InputSchema(features=())
    runtime = open_model(model, none, **card)

    assert isinstance(runtime, TensorRuntime)
    found = runtime.predict_tensors({"A": np.ones((1, 2), np.float32), "B": W})
    assert [*found] == ["Y"]
    np.testing.assert_array_equal(found["Y"], W.sum(axis=0, keepdims=True))
    with pytest.raises(PredictError, match="could not predict"):
        runtime.predict_tensors({"A": np.ones((1, 3), np.float32), "B": W})
    with pytest.raises(UnreadableArtifact, match="graph and card differ in the tensors B"):
        open_model(model, none, **card | {"input_tensors": card["input_tensors"][:1]})
