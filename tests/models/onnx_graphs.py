"""ONNX graphs that never end, take too much memory, or depend on the rows beside a row."""

from onnx import TensorProto, helper

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
FOREVER = 2**62


def looping_graph(*, trips_from_input: bool = False) -> bytes:
    """Return a model of the features x0 and x1 that counts in a loop.

    It loops for ever, or as often as the largest value in the batch says.
    """
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["still_go"]),
            helper.make_node("Add", ["sum", "one"], ["next_sum"]),
        ],
        "body",
        [_value("number", INT64, []), _value("go", BOOL, []), _value("sum", FLOAT, ["n", 1])],
        [_value("still_go", BOOL, []), _value("next_sum", FLOAT, ["n", 1])],
        [helper.make_tensor("one", FLOAT, [1], [1.0])],
    )
    constants = [
        helper.make_tensor("true", BOOL, [], [True]),
        helper.make_tensor("axis", INT64, [1], [1]),
    ]
    nodes = [helper.make_node("ReduceSum", ["features", "axis"], ["start"], keepdims=1)]
    if trips_from_input:
        nodes.append(helper.make_node("ReduceMax", ["features"], ["largest"], keepdims=0))
        nodes.append(helper.make_node("Cast", ["largest"], ["trips"], to=INT64))
    else:
        constants.append(helper.make_tensor("trips", INT64, [], [FOREVER]))
    nodes.append(helper.make_node("Loop", ["trips", "true", "start"], ["y"], body=body))
    return _model(nodes, constants)


def allocating_graph(numbers: int) -> bytes:
    """Return a model of the features x0 and x1 that makes a tensor of so many numbers."""
    fill = helper.make_tensor("fill", FLOAT, [1], [0.5])
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["large"], value=fill),
        helper.make_node("ReduceMax", ["large"], ["half"], keepdims=0),
        helper.make_node("ReduceSum", ["features", "axis"], ["sum"], keepdims=1),
        helper.make_node("Add", ["sum", "half"], ["y"]),
    ]
    constants = [
        helper.make_tensor("shape", INT64, [1], [numbers]),
        helper.make_tensor("axis", INT64, [1], [1]),
    ]
    return _model(nodes, constants)


def summing_graph() -> bytes:
    """Return a model of the features x0 and x1 that adds them."""
    node = helper.make_node("ReduceSum", ["features", "axis"], ["y"], keepdims=1)
    return _model([node], [helper.make_tensor("axis", INT64, [1], [1])])


def _value(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def _model(nodes, constants) -> bytes:
    graph = helper.make_graph(
        nodes,
        "graph",
        [_value("features", FLOAT, ["n", 2])],
        [_value("y", FLOAT, ["n", 1])],
        constants,
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
