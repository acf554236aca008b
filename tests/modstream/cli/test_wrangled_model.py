"""A model file with a file of steps before it, for `modstream models publish --wrangle`."""

import pytest
from onnx import TensorProto, helper

from modstream.cli.publish_options import describe_model
from modstream.cli.wrangled_model import import_after_steps
from modstream.errors import UnknownName
from modstream.models.errors import StepsNotServable
from modstream.settings import load_settings

STEPS = """
[[step]]
derive = { double = "a * 2" }
[[step]]
keep = ["double", "b"]
"""


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Imports the sum of two columns of a matrix, behind steps; returns the version."""
    monkeypatch.setenv("MODSTREAM_HOME", str(tmp_path))
    node = helper.make_node("ReduceSum", ["in"], ["sum"], keepdims=1, noop_with_empty_axes=0)
    axes = helper.make_node("Constant", [], ["axes"], value_ints=[1])
    node.input.append("axes")
    graph = helper.make_graph(
        [axes, node],
        "sum",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["n", 1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    file = tmp_path / "sum.onnx"
    file.write_bytes(model.SerializeToString())

    def import_(steps, *features):
        if steps is not None:
            (tmp_path / "steps.toml").write_text(steps)
        source = "gone" if steps is None else str(tmp_path / "steps.toml")
        description = describe_model("regression", None, (), features, None)
        settings = load_settings()
        return import_after_steps(
            settings, "sum", file, source, description, trust_pickle=False, note=""
        )

    return import_


def test_the_options_describe_the_columns_before_the_steps(call):
    imported = call(STEPS, "b:float", "a:float:missing")
    assert [one.name for one in imported.spec.input_schema.features] == ["b", "a"]
    assert imported.samples is not None
    row = imported.samples.rows[5]
    assert imported.samples.outputs[5] == pytest.approx(2 * row["a"] + row["b"], rel=1e-6)


def test_a_column_that_is_not_described_is_named(call):
    with pytest.raises(StepsNotServable, match="there is no column a"):
        call(STEPS, "b:float")


def test_a_data_set_that_does_not_exist_is_named(call):
    with pytest.raises(UnknownName, match="data set gone"):
        call(None)
