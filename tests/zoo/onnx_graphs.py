"""Hand-made ONNX graphs of all element types, ranks, opsets and kinds of output."""

import numpy as np
from onnx import TensorProto, helper

from modstream.models.importers.description import ModelDescription
from modstream.models.schema.input_schema import Feature
from tests.zoo.onnx_cases import (
    OnnxCase,
    by_class,
    by_label,
    by_probability,
    by_target,
    by_value,
    floats,
    graph,
    ints,
    matrix_rows,
    ml,
    node,
    value_info,
)
from tests.zoo.onnx_exports import exports

_RNG = np.random.default_rng(5)
X = _RNG.normal(scale=2.0, size=(6, 2)).astype(np.float32)
W = np.array([[1.0, -0.5, 0.25], [-0.75, 1.0, 0.5]], np.float32)
XS, FEEDS = matrix_rows(X), {"X": X}
IN, OUT1 = [floats("X", "n", 2)], [floats("Y", "n", 1)]
LOGITS = node("MatMul", ["X", "W"], ["Z"])
_NUMBERS = {
    TensorProto.FLOAT: np.float32, TensorProto.DOUBLE: np.float64, TensorProto.FLOAT16: np.float16,
    TensorProto.INT8: np.int8, TensorProto.INT16: np.int16, TensorProto.INT32: np.int32,
    TensorProto.INT64: np.int64, TensorProto.UINT8: np.uint8, TensorProto.UINT16: np.uint16,
    TensorProto.UINT32: np.uint32, TensorProto.UINT64: np.uint64, TensorProto.BOOL: np.bool_,
}  # fmt: skip
_SUM_AS_FLOAT = [
    node("Cast", ["X"], ["F"], to=TensorProto.FLOAT),
    node("ReduceSum", ["F", "axis"], ["Y"], keepdims=1),
]
AXIS = {"axis": np.array([1], np.int64)}


def element_types() -> list[OnnxCase]:
    """Return a sum of columns for each type of number, and the types that no request can have."""
    cases = []
    for elem_type, dtype in _NUMBERS.items():
        name = TensorProto.DataType.Name(elem_type).lower()
        matrix = (np.abs(X) * 20 % 100).astype(dtype) if dtype != np.bool_ else X > 0
        model = graph(_SUM_AS_FLOAT, [value_info("X", elem_type, ["n", 2])], OUT1, AXIS)
        cases.append(
            OnnxCase(
                f"type {name}", model, rows=matrix_rows(matrix), feeds={"X": matrix},
                answers=by_value(),
            )
        )  # fmt: skip
    words = np.array([["red", "blue"], ["blue", "green"]], object)
    lookup = ml("LabelEncoder", ["X"], ["F"], keys_strings=["red", "blue"],
                values_floats=[1.0, 2.0], default_float=-1.0)  # fmt: skip
    strings = graph([lookup, _SUM_AS_FLOAT[1]],
                    [value_info("X", TensorProto.STRING, ["n", 2])], OUT1, AXIS)  # fmt: skip
    cases.append(OnnxCase("type string", strings, rows=matrix_rows(words), feeds={"X": words},
                          answers=by_value()))  # fmt: skip
    cases += [
        OnnxCase(
            f"type {TensorProto.DataType.Name(elem_type).lower()}",
            graph(_SUM_AS_FLOAT, [value_info("X", elem_type, ["n", 2])], OUT1, AXIS),
            refused="input 'X' has a type that no feature has",
        )
        for elem_type in (TensorProto.BFLOAT16, TensorProto.COMPLEX64)
    ]
    return cases


def input_shapes() -> list[OnnxCase]:
    """Return graphs of rows whose inputs have other shapes than [n, k]."""
    named = [floats("age", "n", 1), ints("visits", "n", 1), value_info("new", TensorProto.BOOL,
             ["n", 1])]  # fmt: skip
    as_floats = [node("Cast", [one], [f"{one}_f"], to=TensorProto.FLOAT)
                 for one in ("visits", "new")]  # fmt: skip
    add = [*as_floats, node("Sum", ["age", "visits_f", "new_f"], ["Y"])]
    table = {"age": [[30.5], [41.0]], "visits": [[3], [0]], "new": [[True], [False]]}
    types = {"age": np.float32, "visits": np.int64, "new": np.bool_}
    columns = {name: np.array(values, types[name]) for name, values in table.items()}
    people = [{n: column[at, 0].item() for n, column in columns.items()} for at in range(2)]
    flat = {name: X[:, at].copy() for at, name in enumerate("ab")}
    total = [node("ReduceSum", ["X", "axis"], ["Y"], keepdims=1)]
    rename = ModelDescription(
        features=(Feature(name="len", kind="float", missing=True), Feature(name="w", kind="int"))
    )
    renamed = [{"len": float(a), "w": int(b)} for a, b in X.round()]
    optional = graph([node("Mul", ["X", "S"], ["Y"])], [floats("X", "n", 1), floats("S", 1)],
                     OUT1, {"S": np.array([2.0], np.float32)}, ir=3, opset=7)  # fmt: skip
    unknown = value_info("X", TensorProto.FLOAT, None)
    sums = by_value()
    return [
        OnnxCase("three named inputs", graph(add, named, OUT1), rows=people, feeds=columns,
                 answers=sums),
        OnnxCase("inputs of rank 1", graph([node("Add", ["a", "b"], ["Y"])],
                 [floats("a", "n"), floats("b", "n")], [floats("Y", "n")]),
                 rows=[{"a": float(a), "b": float(b)} for a, b in X], feeds=flat, answers=sums),
        OnnxCase("optional input", optional, rows=[{"X": 1.5}, {"X": -2.0}],
                 feeds={"X": np.array([[1.5], [-2.0]], np.float32)}, answers=sums),
        OnnxCase("one fixed row", graph(total, [floats("X", 1, 2)], [floats("Y", 1, 1)], AXIS),
                 rows=XS[:1], feeds={"X": X[:1]}, answers=sums),
        OnnxCase("one fixed row, scalar output", graph(
                 [node("ReduceSum", ["X"], ["Y"], keepdims=0)], [floats("X", 1, 2)], [floats("Y")]),
                 rows=XS[:1], feeds={"X": X[:1]}, answers=sums),
        OnnxCase("three fixed rows", graph(total, [floats("X", 3, 2)], [floats("Y", 3, 1)], AXIS),
                 rows=XS[:3], feeds={"X": X[:3]}, answers=sums),
        OnnxCase("unknown width", graph(total, [floats("X", "n", "k")], OUT1, AXIS),
                 refused=r"how many columns the input 'X' \[n, n\] has: name its features"),
        OnnxCase("unknown width, described", graph(total, [floats("X", "n", "k")], OUT1, AXIS),
                 rename, rows=renamed, feeds={"X": X.round()}, answers=sums),
        OnnxCase("unknown rank", graph(total, [unknown], OUT1, AXIS),
                 refused="how many columns the input 'X' has: name its features in order"),
        OnnxCase("unknown rank, described", graph(total, [unknown], OUT1, AXIS), rename,
                 rows=renamed, feeds={"X": X.round()}, answers=sums),
        OnnxCase("no input", graph([node("Identity", ["C"], ["Y"])], [], [floats("Y", 1)],
                 {"C": np.ones(1, np.float32)}), refused="it has no inputs"),
    ]  # fmt: skip


def tensors() -> list[OnnxCase]:
    """Return graphs that take tensors of any rank."""
    image = _RNG.normal(size=(2, 3, 8, 8)).astype(np.float32)
    conv = node("Conv", ["X", "K"], ["Y"])
    kernel = {"K": _RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)}
    ids = np.array([[4, 7, 1], [2, 0, 0]], np.int64)
    embed = [node("Gather", ["E", "ids"], ["e"]),
             node("Cast", ["mask"], ["m"], to=TensorProto.FLOAT),
             node("Unsqueeze", ["m", "last"], ["mu"]), node("Mul", ["e", "mu"], ["Y"])]  # fmt: skip
    embedding = {"E": _RNG.normal(size=(9, 5)).astype(np.float32), "last": np.array([2])}
    half = _RNG.normal(size=(2, 2, 2)).astype(np.float16)
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 3, 2, 2)
    words = np.array([[["a", "b"]], [["é", ""]]], object)
    described = ModelDescription(task="tensors")

    def same(elem_type: int, *shape: object, op: str = "Identity") -> object:
        return graph([node(op, ["X"], ["Y"])], [value_info("X", elem_type, shape)],
                     [value_info("Y", elem_type, shape)])  # fmt: skip

    return [
        OnnxCase("images", graph([conv], [floats("X", "n", 3, 8, 8)],
                 [floats("Y", "n", 4, 6, 6)], kernel), tensors={"X": image}),
        OnnxCase("one fixed image", graph([conv], [floats("X", 1, 3, 8, 8)],
                 [floats("Y", 1, 4, 6, 6)], kernel), tensors={"X": image[:1]}),
        OnnxCase("two matrices", graph([node("MatMul", ["A", "B"], ["Y"])],
                 [floats("A", "n", 2), floats("B", 2, 3)], [floats("Y", "n", 3)]),
                 tensors={"A": X, "B": W}),
        OnnxCase("tokens and mask", graph(embed, [ints("ids", "n", "s"), ints("mask", "n", "s")],
                 [floats("Y", "n", "s", 5)], embedding),
                 tensors={"ids": ids, "mask": (ids > 0).astype(np.int64)}),
        OnnxCase("scalars", graph([node("Add", ["a", "b"], ["Y"])], [floats("a"), floats("b")],
                 [floats("Y")]), tensors={"a": np.array(1.5, np.float32),
                                          "b": np.array(-2, np.float32)}),
        OnnxCase("float16 tensor", same(TensorProto.FLOAT16, "n", 2, 2), tensors={"X": half}),
        OnnxCase("uint8 image", same(TensorProto.UINT8, 1, 3, "h", "w"), tensors={"X": pixels}),
        OnnxCase("int8 tensor", same(TensorProto.INT8, "n", 1, 2),
                 tensors={"X": np.array([[[-128, 127]]], np.int8)}),
        OnnxCase("strings of rank 3", same(TensorProto.STRING, "n", 1, 2), tensors={"X": words}),
        OnnxCase("bool tensor", same(TensorProto.BOOL, "n", 2, 1, op="Not"),
                 tensors={"X": np.array([[[True], [False]]])}),
        OnnxCase("output without elements", graph([node("NonZero", ["X"], ["Y"])],
                 [floats("X", "n", 2, 2)], [ints("Y", 3, "k")]),
                 tensors={"X": np.zeros((1, 2, 2), np.float32)}),
        OnnxCase("output of unknown rank", graph([node("ReduceMax", ["X"], ["Y"], keepdims=0)],
                 [floats("X", "n", 2, 2)], [value_info("Y", TensorProto.FLOAT, None)]),
                 tensors={"X": np.ones((1, 2, 2), np.float32)}),
        OnnxCase("rows as tensors", graph([LOGITS], IN, [floats("Z", "n", 3)], {"W": W}),
                 described, tensors={"X": X}),
    ]  # fmt: skip


def numbers() -> list[OnnxCase]:
    """Return graphs whose outputs are numbers only."""
    three, two = {"W": W}, {"W": W[:, :2]}
    z, y3, y2 = [floats("Z", "n", 3)], [floats("Y", "n", 3)], [floats("Y", "n", 2)]
    one = {"W": W[:, :1]}
    sigmoid = graph([LOGITS, node("Sigmoid", ["Z"], ["Y"])], IN, OUT1, one)
    logits, names = graph([LOGITS], IN, z, three), ("low", "mid", "high")
    softmax = [LOGITS, node("Softmax", ["Z"], ["S"]), node("Identity", ["S"], ["Y"])]
    regressor = ml("LinearRegressor", ["X"], ["Y"], coefficients=[2.0, 0, 0, -3.0],
                   intercepts=[1.0, 0.0], targets=2)  # fmt: skip
    heads = graph([LOGITS, node("Split", ["Z"], ["speed", "load", "heat"], axis=1)], IN,
                  [floats(n, "n", 1) for n in ("speed", "load", "heat")], three)  # fmt: skip
    scaler = ml("Scaler", ["X"], ["Y"], offset=[1.0, 2.0], scale=[0.5, 2.0])

    def margin(found):
        return [{"label": bool(row[1] > row[0]), "margin": float(row[1] - row[0])}
                for row in found["Z"]]  # fmt: skip

    return [
        OnnxCase("regression", graph([node("MatMul", ["X", "W"], ["Y"])], IN, OUT1, one),
                 rows=XS, feeds=FEEDS, answers=by_value()),
        OnnxCase("regression, two targets", graph([regressor], IN, y2), rows=XS, feeds=FEEDS,
                 answers=by_target("values", ["y0", "y1"], "Y")),
        OnnxCase("regression, three outputs", heads, rows=XS, feeds=FEEDS,
                 answers=by_target("values", ["speed", "load", "heat"], "speed", "load", "heat")),
        OnnxCase("integers as regression", graph([node("Floor", ["X"], ["F"]),
                 node("Cast", ["F"], ["Y"], to=TensorProto.INT64)], [floats("X", "n", 1)],
                 [ints("Y", "n", 1)]), ModelDescription(task="regression"),
                 rows=[{"X": 1.5}, {"X": -3.0}], answers=by_value(),
                 feeds={"X": np.array([[1.5], [-3.0]], np.float32)}),
        OnnxCase("softmax", graph(softmax, IN, y3, three), rows=XS, feeds=FEEDS,
                 answers=by_class((0, 1, 2))),
        OnnxCase("softmax, named classes", graph(softmax, IN, y3, three),
                 ModelDescription(classes=names), rows=XS, feeds=FEEDS, answers=by_class(names)),
        OnnxCase("softmax of two", graph(softmax, IN, y2, two), rows=XS, feeds=FEEDS,
                 answers=by_probability()),
        OnnxCase("log-softmax", graph([LOGITS, node("LogSoftmax", ["Z"], ["Y"])], IN, y3, three),
                 rows=XS, feeds=FEEDS,
                 answers=lambda found: by_class((0, 1, 2))({"Y": np.exp(found["Y"])})),
        OnnxCase("sigmoid", sigmoid, refused="publish it with --task binary, for a probability"),
        OnnxCase("sigmoid, binary", sigmoid, ModelDescription(task="binary"), rows=XS, feeds=FEEDS,
                 answers=by_probability()),
        OnnxCase("logits", logits, refused="publish it with --task multioutput_regression, or"),
        OnnxCase("logits as margins", logits, ModelDescription(
                 task="multiclass", classes=names, scores="margin"), rows=XS, feeds=FEEDS,
                 answers=by_class(names, "Z", "margins")),
        OnnxCase("logits of two", graph([LOGITS], IN, [floats("Z", "n", 2)], two),
                 ModelDescription(task="binary", classes=(False, True), scores="margin"),
                 rows=XS, feeds=FEEDS, answers=margin),
        OnnxCase("logits are no probabilities", logits, ModelDescription(
                 task="multiclass", scores="probability"),
                 refused="has numbers from -.*: use --scores margin"),
        OnnxCase("too many classes", logits, ModelDescription(task="multiclass", classes=(*names,
                 "x"), scores="margin"), refused="has 3 columns: name 3 classes, in order"),
        OnnxCase("scaler", graph([scaler], IN, y2), rows=XS, feeds=FEEDS,
                 answers=by_target("features", ["y0", "y1"], "Y")),
        OnnxCase("not finite", graph([node("Log", ["X"], ["Y"])], [floats("X", "n", 1)], OUT1),
                 rows=[{"X": 2.0}, {"X": 0.5}], answers=by_value(),
                 feeds={"X": np.array([[2.0], [0.5]], np.float32)}),
        OnnxCase("sequence", graph([node("SequenceConstruct", ["X"], ["Y"])], IN,
                 [helper.make_tensor_sequence_value_info("Y", TensorProto.FLOAT, None)]),
                 refused="none of its outputs is a tensor of numbers, strings or bools"),
    ]  # fmt: skip


def labels() -> list[OnnxCase]:
    """Return graphs with labels, alone or beside scores."""
    names = ["low", "mid", "high"]
    linear = {"coefficients": W.T.ravel().tolist(), "intercepts": [0.0] * 3, "multi_class": 1}
    classifier = ml("LinearClassifier", ["X"], ["L", "S"], classlabels_strings=names,
                    post_transform="SOFTMAX", **linear)  # fmt: skip
    numbered = ml("LinearClassifier", ["X"], ["L", "S"], classlabels_ints=[7, 3, 5],
                  post_transform="NONE", **linear)  # fmt: skip
    zipmap = ml("ZipMap", ["S"], ["M"], classlabels_strings=names)
    text, label = value_info("L", TensorProto.STRING, ["n"]), ints("L", "n")
    maps = helper.make_value_info(
        "M",
        helper.make_sequence_type_proto(
            helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(1, []))
        ),
    )
    scores, best = floats("S", "n", 3), node("ArgMax", ["S"], ["A"], axis=1, keepdims=0)
    pick = ml("ArrayFeatureExtractor", ["C", "A"], ["P"])
    shape = node("Reshape", ["P", "flat"], ["L"])
    soft = [LOGITS, node("Softmax", ["Z"], ["S"])]
    weights = {"W": W, "flat": np.array([-1]), "C": np.array(names, object)}
    threshold = [*soft, node("Slice", ["S", "i1", "i2", "i1"], ["p"]),
                 node("Greater", ["p", "limit"], ["g"]), node("Cast", ["g"], ["gi"], to=7),
                 node("Squeeze", ["gi", "i1"], ["A"]), pick, shape]  # fmt: skip
    limits = weights | {"i1": np.array([1]), "i2": np.array([2]),
                        "limit": np.array([0.05], np.float32)}  # fmt: skip
    centre = np.array([[0.0, 0.0], [3.0, 3.0]], np.float32)
    distance = [node("Unsqueeze", ["X", "one"], ["x"]), node("Sub", ["x", "centre"], ["d"]),
                node("ReduceL2", ["d"], ["S"], axes=[2], keepdims=0),
                node("ArgMin", ["S"], ["L"], axis=1, keepdims=0)]  # fmt: skip
    clusters = graph(distance, IN, [label, floats("S", "n", 2)],
                     {"one": np.array([1]), "centre": centre})  # fmt: skip
    sign = [node("MatMul", ["X", "W"], ["S"]), node("Sign", ["S"], ["g"]),
            node("Cast", ["g"], ["L"], to=7)]  # fmt: skip
    detector = graph(sign, IN, [ints("L", "n", 1), floats("S", "n", 1)], {"W": W[:, :1]})
    only = graph([LOGITS, node("ArgMax", ["Z"], ["L"], axis=1, keepdims=0)], IN, [label],
                 {"W": W})  # fmt: skip
    svm = ml("SVMClassifier", ["X"], ["L", "S"], classlabels_ints=[0, 1], kernel_type="LINEAR",
             support_vectors=[1.0, 0.0, 0.0, 1.0], vectors_per_class=[1, 1],
             coefficients=[1.0, -1.0], rho=[0.1], kernel_params=[0.0, 0.0, 0.0])  # fmt: skip
    positive = node("Greater", ["Z", "zero"], ["L"])
    zero = {"W": W[:, :1], "zero": np.zeros(1, np.float32)}
    known = by_class(names, "S")
    multi = [node("Concat", ["L", "L2"], ["LL"], axis=1), *(
        ml("LabelEncoder", ["X"], [one], keys_floats=[0.0], values_strings=["zero"],
           default_string="other") for one in ("L", "L2"))]  # fmt: skip
    return [
        OnnxCase("classifier", graph([classifier], IN, [text, scores]), rows=XS, feeds=FEEDS,
                 answers=known),
        OnnxCase("zipmap", graph([classifier, zipmap], IN, [text, maps]), rows=XS, feeds=FEEDS,
                 answers=lambda found: [
                     {"label": one, "probabilities": dict(zip(names, map(row.get, names),
                      strict=True))} for one, row in zip(found["L"], found["M"], strict=True)]),
        OnnxCase("margins of classes 7, 3, 5", graph([numbered], IN, [label, scores]),
                 rows=XS, feeds=FEEDS, answers=by_class([7, 3, 5], "S", "margins", "L")),
        OnnxCase("margins, classes renamed", graph([numbered], IN, [label, scores]),
                 ModelDescription(classes=tuple(names)), rows=XS, feeds=FEEDS,
                 answers=by_class(names, "S", "margins")),
        OnnxCase("labels only", graph([numbered], IN, [label]), rows=XS, feeds=FEEDS,
                 answers=by_label()),
        OnnxCase("label picked from classes", graph([*soft, best, pick, shape], IN,
                 [text, scores], weights), rows=XS, feeds=FEEDS, answers=known),
        OnnxCase("label by threshold", graph(threshold, IN, [text, scores], limits),
                 refused="its label 'mid' is not the most probable class"),
        OnnxCase("label by threshold, alone", graph(threshold, IN, [text, scores], limits),
                 ModelDescription(scores="none"), rows=XS, feeds=FEEDS, answers=by_label()),
        OnnxCase("support vectors", graph([svm], IN, [label, floats("S", "n", 2)]), rows=XS,
                 feeds=FEEDS, answers=lambda found: [
                     {"label": one, "margin": abs(float(row[0])) * (1 if one else -1)}
                     for one, row in zip(found["L"].tolist(), found["S"], strict=True)]),
        OnnxCase("index only", only, refused="publish it with --task multiclass"),
        OnnxCase("index only, described", only, ModelDescription(task="multiclass",
                 classes=tuple(names), scores="none"), rows=XS, feeds=FEEDS,
                 answers=lambda found: [{"label": names[one]} for one in found["L"]]),
        OnnxCase("yes or no", graph([LOGITS, positive], IN, [value_info(
                 "L", TensorProto.BOOL, ["n", 1])], zero), rows=XS, feeds=FEEDS,
                 answers=by_label()),
        OnnxCase("clusters", clusters, rows=XS, feeds=FEEDS,
                 answers=by_class((0, 1), "S", "distances", "L")),
        OnnxCase("detector", detector, rows=XS, feeds=FEEDS,
                 answers=lambda found: [{"score": -float(one)} for one in found["S"].ravel()]),
        *encodings(),
        OnnxCase("two label columns", graph([*multi[1:], multi[0]], [floats("X", "n", 1)],
                 [value_info("LL", TensorProto.STRING, ["n", 2])]), rows=[{"X": 0.0}, {"X": 1.0}],
                 feeds={"X": np.array([[0.0], [1.0]], np.float32)},
                 answers=by_target("labels", ["y0", "y1"], "LL")),
    ]  # fmt: skip


def encodings() -> list[OnnxCase]:
    """Return encoders of a feature, whose outputs are no labels unless the caller says so."""

    def encoder(elem_type: int, **values: object) -> object:
        coded = ml("LabelEncoder", ["X"], ["Y"], keys_strings=["a", "b"], **values)
        return graph([coded], [value_info("X", TensorProto.STRING, ["n", 1])],
                     [value_info("Y", elem_type, ["n", 1])])  # fmt: skip

    floats_, integers, words = (
        encoder(TensorProto.FLOAT, values_floats=[1.5, 2.5], default_float=0.0),
        encoder(TensorProto.INT64, values_int64s=[1, 2], default_int64=0),
        encoder(TensorProto.STRING, values_strings=["u", "v"], default_string="v"),
    )
    rows = [{"X": "a"}, {"X": "b"}]
    feeds = {"X": np.array([["a"], ["b"]], object)}
    return [
        OnnxCase("words to floats", floats_, refused="--task regression, or with --task transf"),
        OnnxCase("words to floats, regression", floats_, ModelDescription(task="regression"),
                 rows=rows, feeds=feeds, answers=by_value()),
        OnnxCase("words to integers", integers, refused="a --class for each class, in order"),
        OnnxCase("words to words", words, refused="a --class for each class, in order"),
        OnnxCase("words to words, described", words, ModelDescription(task="binary",
                 classes=("u", "v"), scores="none"), rows=rows, feeds=feeds,
                 answers=by_label("Y")),
    ]  # fmt: skip


def unloadable() -> list[OnnxCase]:
    """Return graphs that ONNX Runtime refuses, or that have operators of control flow."""
    same = node("Identity", ["X"], ["Y"])
    one = [floats("X", "n", 1)]
    branch = helper.make_graph([node("Neg", ["X"], ["B"])], "then", [], [floats("B", "n", 1)])
    other = helper.make_graph([node("Abs", ["X"], ["B"])], "else", [], [floats("B", "n", 1)])
    choice = [node("ReduceMax", ["X"], ["m"], keepdims=0), node("Greater", ["m", "limit"], ["c"]),
              node("If", ["c"], ["Y"], then_branch=branch, else_branch=other)]  # fmt: skip
    huge = [node("ConstantOfShape", ["size"], ["z"]),
            node("ReduceSum", ["z"], ["s"], keepdims=0),
            node("Add", ["X", "s"], ["Y"])]  # fmt: skip
    return [
        OnnxCase("unknown operator", graph([node("Nope", ["X"], ["Y"])], one, OUT1),
                 refused="No Op registered for Nope"),
        OnnxCase("custom domain", graph([node("Op", ["X"], ["Y"], domain="com.me")], one, OUT1,
                 domains={"com.me": 1}), refused=r"com\.me:Op.* is not a registered"),
        OnnxCase("newer opset", graph([same], one, OUT1, opset=99), refused="Opset 99 is under"),
        OnnxCase("newer format", graph([same], one, OUT1, ir=99),
                 refused="Unsupported model IR version: 99.*; lower it"),
        OnnxCase("operator newer than its opset", graph([node("Celu", ["X"], ["Y"])], one, OUT1,
                 opset=9), refused="No Op registered for Celu.*with a higher one"),
        OnnxCase("old opset", graph([node("Sum", ["X", "X"], ["Y"])], one, OUT1, opset=8, ir=3),
                 rows=[{"X": 2.0}], feeds={"X": np.array([[2.0]], np.float32)},
                 answers=by_value()),
        OnnxCase("two branches", graph(choice, one, OUT1, {"limit": np.float32(0)}),
                 rows=[{"X": 2.0}], feeds={"X": np.array([[2.0]], np.float32)},
                 answers=by_value()),
        OnnxCase("a tensor of 400 GB", graph(huge, one, OUT1, {"size": np.array([10**11])}),
                 refused="Available memory of"),
    ]  # fmt: skip


def all_cases() -> list[OnnxCase]:
    """Return all graphs."""
    made = [*element_types(), *input_shapes(), *tensors(), *numbers(), *labels(), *unloadable()]
    return [*made, *exports()]
