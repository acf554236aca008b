"""Graphs as the exporters of other frameworks write them by default: names, shapes and operators.

They are made by hand after what torch.onnx.export (TorchScript and Dynamo), tf2onnx (Keras) and
skl2onnx (`to_onnx`) write for small models.
"""

import numpy as np
from onnx import ModelProto, TensorProto, helper

from modstream.models.importers.description import ModelDescription
from tests.zoo.onnx_cases import (
    OnnxCase,
    by_class,
    by_probability,
    by_value,
    floats,
    graph,
    matrix_rows,
    ml,
    node,
    value_info,
)

_RNG = np.random.default_rng(7)
X = _RNG.normal(size=(5, 4)).astype(np.float32)
ROWS = matrix_rows(X)
IMAGES = _RNG.normal(size=(2, 3, 8, 8)).astype(np.float32)
CLASSES = ("low", "mid", "high")


def weights(*shape: int) -> np.ndarray:
    """Return weights of a layer."""
    return _RNG.normal(size=shape).astype(np.float32)


def torch_exports() -> list[OnnxCase]:
    """Return perceptrons and a network for images as torch.onnx.export writes them."""

    def perceptron(outputs: int, rows: int | str, *ends: object) -> ModelProto:
        layers = [
            node("Gemm", ["onnx::Gemm_0", "0.weight", "0.bias"], ["/0/Gemm_output_0"],
                 name="/0/Gemm", alpha=1.0, beta=1.0, transB=1),
            node("Relu", ["/0/Gemm_output_0"], ["/1/Relu_output_0"], name="/1/Relu"),
            node("Gemm", ["/1/Relu_output_0", "2.weight", "2.bias"], ["/2/Gemm_output_0"],
                 name="/2/Gemm", alpha=1.0, beta=1.0, transB=1),
            *(ends or [node("Identity", ["/2/Gemm_output_0"], ["8"])]),
        ]  # fmt: skip
        held = {"0.weight": weights(8, 4), "0.bias": weights(8),
                "2.weight": weights(outputs, 8), "2.bias": weights(outputs)}  # fmt: skip
        inputs, found = [floats("onnx::Gemm_0", rows, 4)], [floats("8", rows, outputs)]
        return graph(layers, inputs, found, held)

    softmax = node("Softmax", ["/2/Gemm_output_0"], ["8"], name="/3/Softmax", axis=1)
    sigmoid = node("Sigmoid", ["/2/Gemm_output_0"], ["8"], name="/3/Sigmoid")
    dynamo = graph(
        [node("Gemm", ["x", "fc.weight", "fc.bias"], ["linear"], name="node_linear", transB=1)],
        [floats("x", "s0", 4)], [floats("linear", "s0", 1)],
        {"fc.weight": weights(1, 4), "fc.bias": weights(1)}, opset=18, ir=10,
    )  # fmt: skip
    vision = [
        node("Conv", ["input.1", "0.weight", "0.bias"], ["c"], kernel_shape=[3, 3], pads=[1] * 4,
             strides=[1, 1], dilations=[1, 1], group=1),
        node("Relu", ["c"], ["r"]), node("GlobalAveragePool", ["r"], ["p"]),
        node("Flatten", ["p"], ["f"], axis=1),
        node("Gemm", ["f", "4.weight", "4.bias"], ["11"], alpha=1.0, beta=1.0, transB=1),
    ]  # fmt: skip
    held = {"0.weight": weights(4, 3, 3, 3), "0.bias": weights(4),
            "4.weight": weights(3, 4), "4.bias": weights(3)}  # fmt: skip

    def images(rows: int | str) -> object:
        return graph(vision, [floats("input.1", rows, 3, 8, 8)], [floats("11", rows, 3)], held)

    external = perceptron(1, "batch")
    tensor = external.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="model.onnx.data")
    feeds, one_row = {"onnx::Gemm_0": X}, {"onnx::Gemm_0": X[:1]}
    logits = ModelDescription(task="multiclass", classes=CLASSES, scores="margin")
    return [
        OnnxCase("torch, regression", perceptron(1, "batch"), rows=ROWS, feeds=feeds,
                 answers=by_value("8")),
        OnnxCase("torch, regression without dynamic axes", perceptron(1, 1), rows=ROWS[:1],
                 feeds=one_row, answers=by_value("8")),
        OnnxCase("torch, softmax", perceptron(3, "batch", softmax), rows=ROWS, feeds=feeds,
                 answers=by_class((0, 1, 2), "8")),
        OnnxCase("torch, softmax without dynamic axes", perceptron(3, 1, softmax), rows=ROWS[:1],
                 feeds=one_row, answers=by_class((0, 1, 2), "8")),
        OnnxCase("torch, sigmoid", perceptron(1, "batch", sigmoid),
                 refused="publish it with --task binary, for a probability"),
        OnnxCase("torch, sigmoid, binary", perceptron(1, "batch", sigmoid),
                 ModelDescription(task="binary"), rows=ROWS, feeds=feeds,
                 answers=by_probability("8")),
        OnnxCase("torch, logits", perceptron(3, "batch"),
                 refused="--task multiclass .* a --class for each column, and --scores margin"),
        OnnxCase("torch, logits, described", perceptron(3, "batch"), logits, rows=ROWS,
                 feeds=feeds, answers=by_class(CLASSES, "8", "margins")),
        OnnxCase("torch, dynamo", dynamo, rows=ROWS, feeds={"x": X}, answers=by_value("linear")),
        OnnxCase("torch, weights in a file beside it", external,
                 refused=r"external_data=False of torch\.onnx\.export"),
        OnnxCase("torch, images", images("batch"), tensors={"input.1": IMAGES}),
        OnnxCase("torch, images without dynamic axes", images(1), tensors={"input.1": IMAGES[:1]}),
    ]  # fmt: skip


def keras_exports() -> list[OnnxCase]:
    """Return sequential networks as tf2onnx writes them."""

    def sequential(outputs: int, end: str) -> object:
        scope = "StatefulPartitionedCall/sequential"
        layers = [
            node("MatMul", ["dense_input", "w0"], [f"{scope}/dense/MatMul:0"]),
            node("Add", [f"{scope}/dense/MatMul:0", "b0"], [f"{scope}/dense/BiasAdd:0"]),
            node("Relu", [f"{scope}/dense/BiasAdd:0"], [f"{scope}/dense/Relu:0"]),
            node("MatMul", [f"{scope}/dense/Relu:0", "w1"], [f"{scope}/dense_1/MatMul:0"]),
            node("Add", [f"{scope}/dense_1/MatMul:0", "b1"], [f"{scope}/dense_1/BiasAdd:0"]),
            node(end, [f"{scope}/dense_1/BiasAdd:0"], ["dense_1"]),
        ]
        held = {"w0": weights(4, 8), "b0": weights(8), "w1": weights(8, outputs),
                "b1": weights(outputs)}  # fmt: skip
        shape = "unk__6"
        inputs, found = [floats("dense_input", shape, 4)], [floats("dense_1", shape, outputs)]
        return graph(layers, inputs, found, held)

    image = np.ascontiguousarray(IMAGES.transpose(0, 2, 3, 1))
    vision = [
        node("Transpose", ["input_1"], ["t"], perm=[0, 3, 1, 2]),
        node("Conv", ["t", "w"], ["c"], kernel_shape=[3, 3], strides=[1, 1]),
        node("Relu", ["c"], ["r"]), node("ReduceMean", ["r"], ["m"], axes=[2, 3], keepdims=0),
        node("Softmax", ["m"], ["predictions"], axis=1),
    ]  # fmt: skip
    images = graph(vision, [floats("input_1", "unk__9", 8, 8, 3)],
                   [floats("predictions", "unk__9", 4)], {"w": weights(4, 3, 3, 3)})  # fmt: skip
    feeds = {"dense_input": X}
    return [
        OnnxCase("keras, regression", sequential(1, "Identity"), rows=ROWS, feeds=feeds,
                 answers=by_value("dense_1")),
        OnnxCase("keras, softmax", sequential(3, "Softmax"), rows=ROWS, feeds=feeds,
                 answers=by_class((0, 1, 2), "dense_1")),
        OnnxCase("keras, sigmoid", sequential(1, "Sigmoid"),
                 refused="publish it with --task binary, for a probability"),
        OnnxCase("keras, sigmoid, binary", sequential(1, "Sigmoid"),
                 ModelDescription(task="binary"), rows=ROWS, feeds=feeds,
                 answers=by_probability("dense_1")),
        OnnxCase("keras, images", images, tensors={"input_1": image}),
    ]  # fmt: skip


def sklearn_exports() -> list[OnnxCase]:
    """Return what `to_onnx` writes by default: a ZipMap behind a classifier, of two classes."""
    coefficients = weights(4)
    classifier = ml("LinearClassifier", ["X"], ["label", "probability_tensor"],
                    classlabels_ints=[0, 1], multi_class=0, post_transform="LOGISTIC",
                    coefficients=[*(-coefficients).tolist(), *coefficients.tolist()],
                    intercepts=[0.1, -0.1])  # fmt: skip
    normal = ml("Normalizer", ["probability_tensor"], ["probabilities"], norm="L1")
    cast = node("Cast", ["label"], ["output_label"], to=TensorProto.INT64)
    zipmap = ml("ZipMap", ["probabilities"], ["output_probability"], classlabels_int64s=[0, 1])
    maps = helper.make_value_info(
        "output_probability",
        helper.make_sequence_type_proto(
            helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(1, []))
        ),
    )
    labels = value_info("output_label", TensorProto.INT64, [None])
    model = graph([classifier, cast, normal, zipmap], [floats("X", None, 4)], [labels, maps])
    return [
        OnnxCase("to_onnx with its default options", model, rows=ROWS, feeds={"X": X},
                 answers=lambda found: [
                     {"probability": float(row[1])} for row in found["output_probability"]]),
    ]  # fmt: skip


def exports() -> list[OnnxCase]:
    """Return all graphs of this module."""
    return [*torch_exports(), *keras_exports(), *sklearn_exports()]
