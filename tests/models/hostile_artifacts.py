"""Malicious and broken artifacts, by name; each malicious one would harm an unguarded loader."""

import os
import pickle
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from io import BytesIO
from struct import pack as packed
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import onnx
import river
from onnx import AttributeProto, ModelProto, TensorProto, helper, numpy_helper
from river import linear_model, preprocessing
from river._river_rust.drift import AdaptiveWindowing

_HARM = "touch harmed"
_CODE = "open('harmed', 'w')"
_PROTO_4 = b"\x80\x04"


class _PickledCall:
    """An object that is pickled as a function call."""

    def __init__(self, function: Callable, *args: object) -> None:
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def river_artifact(pickled: bytes, version: str = river.__version__, layout: int = 1) -> bytes:
    """Return a pickle with the header of a River artifact."""
    header = f'{{"format":{layout},"river":"{version}","python":"3.11.0"}}\n'
    return b"modstream-river " + header.encode() + pickled


def _text(value: str) -> bytes:
    return b"\x8c" + packed("<B", len(value)) + value.encode()


def _global(module: str, name: str) -> bytes:
    return _text(module) + _text(name) + b"\x93"


def _call(module: str, name: str, argument: str) -> bytes:
    return _PROTO_4 + _global(module, name) + _text(argument) + b"\x85R."


def _modifying(module: str, name: str, attribute: str, value: bytes) -> bytes:
    """Return a pickle whose BUILD opcode runs setattr(global, attribute, value)."""
    slots = b"N}" + _text(attribute) + value + b"s\x86b"
    return _PROTO_4 + _global(module, name) + slots + b"."


def forbidden_pickles() -> dict[str, bytes]:
    """Return pickles that refer to globals no model needs."""
    system = os.system
    return {
        "os.system": pickle.dumps(_PickledCall(system, _HARM)),
        "eval": pickle.dumps(_PickledCall(eval, _CODE)),
        "exec": pickle.dumps(_PickledCall(exec, _CODE)),
        "partial of system": pickle.dumps(_PickledCall(partial(system, _HARM))),
        "partial of partial of eval": pickle.dumps(partial(partial(eval), _CODE)),
        "default factory": pickle.dumps(defaultdict(system)),
        "inside a model": pickle.dumps(
            linear_model.LogisticRegression(_PickledCall(system, _HARM))
        ),
        "os of an allowed module": _call("random", "_os.system", _HARM),
        "os of a river module": _call("river.utils.pretty", "x.os.system", _HARM),
        "globals of an allowed method": _PROTO_4
        + _global("river.compose.pipeline", "Pipeline.learn_one.__globals__")
        + b".",
        "shifted dot": _PROTO_4 + _global("river.compose", "pipeline.Pipeline") + b".",
        "getattr": _PROTO_4 + _global("builtins", "getattr") + b".",
        "python 2 name": b"c__builtin__\neval\n(S'" + _CODE.replace("'", '"').encode() + b"'\ntR.",
        "subprocess": _call("subprocess", "Popen", _HARM),
        "a module that acts when imported": _call("acts_when_imported", "anything", ""),
        "pickle in a pickle": _PROTO_4 + _global("pickle", "loads") + b".",
        "numpy file": _call("numpy", "load", "harmed"),
    }


def broken_pickles() -> dict[str, bytes]:
    """Return pickles without forbidden globals that are not valid models."""
    good = pickle.dumps(linear_model.LogisticRegression())
    window = AdaptiveWindowing(0.002, 32, 5, 5, 10)
    state = window.__getstate__()
    return {
        "empty": b"",
        "truncated": good[: len(good) // 2],
        "not a model": pickle.dumps([1, 2, 3]),
        "a class, not a model": pickle.dumps(preprocessing.StandardScaler),
        "claims a terabyte": _PROTO_4 + b"\x8e" + packed("<Q", 1 << 40) + b"x.",
        "persistent id": _PROTO_4 + b"\x8c\x01xQ.",
        "extension registry": b"\x80\x02\x82\x01.",
        "panics in rust": pickle.dumps(window).replace(state, b"\xff" * len(state)),
        "calls with nonsense": _call("random", "Random", "x")[:-2] + b"\x85R.",
        "modifies a class": _modifying(
            "river.compose.pipeline", "Pipeline", "_LEARN_UNSUPERVISED_DURING_PREDICT", b"\x88"
        ),
        "adds to a class": _modifying(
            "river.linear_model.log_reg", "LogisticRegression", "predict_proba_one", b"N"
        ),
        "modifies a function": _modifying("copy", "deepcopy", "__defaults__", b")"),
    }


def broken_headers() -> dict[str, bytes]:
    """Return valid pickles with a missing, damaged or foreign header."""
    good = pickle.dumps(linear_model.LogisticRegression())
    return {
        "no header": good,
        "other river": river_artifact(good, version="0.25.0"),
        "other format": river_artifact(good, layout=2),
        "not json": b"modstream-river {{{\n" + good,
        "no end": b"modstream-river " + b"{" * 1000,
        "empty": b"",
    }


def _external(name: str) -> TensorProto:
    tensor = numpy_helper.from_array(np.zeros((1, 2), dtype=np.float32), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../../etc/passwd"
    return tensor


def _graph(nodes: list, initializers: list = (), name: str = "g") -> onnx.GraphProto:
    inputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, 2])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])]
    return helper.make_graph(nodes, name, inputs, outputs, list(initializers))


def _identity() -> onnx.NodeProto:
    return helper.make_node("Identity", ["features"], ["y"])


def onnx_model(*nodes: onnx.NodeProto) -> ModelProto:
    """Return a harmless model that returns its two features."""
    opset = [helper.make_opsetid("", 21)]
    return helper.make_model(_graph([*nodes, _identity()]), opset_imports=opset, ir_version=10)


def _constant(name: str) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=_external(f"{name}_value"))


def external_data() -> dict[str, bytes]:
    """Return ONNX models that refer to a file, one for each place a reference can be in."""
    initializer, sparse, function, training, listed = (onnx_model() for _ in range(5))
    initializer.graph.initializer.append(_external("w"))
    sparse.graph.sparse_initializer.add().values.CopyFrom(_external("w"))
    function.functions.add(name="f", domain="here").node.append(_constant("w"))
    training.training_info.add().initialization.initializer.append(_external("w"))
    branches = {"then_branch": _graph([_constant("w")]), "else_branch": _graph([_identity()])}
    tensors = helper.make_node("Identity", ["features"], ["z"])
    attribute = AttributeProto(name="extra", type=AttributeProto.TENSORS, tensors=[_external("w")])
    tensors.attribute.append(attribute)
    listed.graph.node.append(tensors)
    unmarked = onnx_model()
    hidden = _external("w")
    hidden.data_location = TensorProto.DEFAULT
    unmarked.graph.initializer.append(hidden)
    models = {
        "initializer": initializer,
        "sparse initializer": sparse,
        "Constant": onnx_model(_constant("w")),
        "subgraph": onnx_model(helper.make_node("If", ["features"], ["z"], **branches)),
        "local function": function,
        "training": training,
        "list of tensors": listed,
        "not marked as external": unmarked,
    }
    return {name: model.SerializeToString() for name, model in models.items()}


def broken_onnx() -> dict[str, bytes]:
    """Return bytes that are not an ONNX model, or not one that fits the test's card."""
    good = onnx_model().SerializeToString()
    unknown = onnx_model(helper.make_node("Steal", ["features"], ["z"], domain="thief"))
    other = onnx_model()
    other.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [None, 1]))
    return {
        "empty": b"",
        "noise": bytes(range(256)) * 4,
        "truncated": good[: len(good) // 2],
        "a pickle": pickle.dumps(_PickledCall(os.system, _HARM)),
        "ort's own format": b"\x18\x00\x00\x00ORTM" + bytes(64),
        "claims a gigabyte": b"\x3a\xff\xff\xff\xff\x03" + good,
        "unknown operator": unknown.SerializeToString(),
        "other inputs": other.SerializeToString(),
    }


def zip_bomb() -> bytes:
    """Return a small zip file that declares an unpacked size above the limit."""
    file = BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", "{}")
        archive.writestr("bomb", b"")
    content = bytearray(file.getvalue())
    central = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 1)
    content[central + 24 : central + 28] = packed("<I", 0xFFFFFF00)
    return bytes(content)
