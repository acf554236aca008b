import math

import numpy as np
import pytest

from modstream.models.errors import MissingFeature, NotFinite, OutOfRange, WrongShape, WrongType
from modstream.models.schema.card import TensorSpec
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.tensor_inputs import parse_input_tensors
from modstream.models.schema.tensors import InputTensor, flatten_tensor

SCHEMA = InputSchema(
    features=(
        Feature(name="temp", kind="float"),
        Feature(name="count", kind="int"),
        Feature(name="busy", kind="bool"),
        Feature(name="city", kind="string"),
    )
)
NUMBERS = InputSchema(
    features=(Feature(name="x", kind="float"), Feature(name="n", kind="int")),
)
ROW = {"temp": 1.5, "count": 3, "busy": True, "city": "Oslo"}


def test_a_tensor_for_each_feature_becomes_a_batch():
    batch = SCHEMA.parse_tensors(
        [
            InputTensor("city", (2, 1), "BYTES", [["Oslo"], ["Rome"]]),
            InputTensor("temp", (2,), "FP32", np.array([1.5, 2.5], dtype=np.float32)),
            InputTensor("count", (2, 1), "INT64", [3, 4]),
            InputTensor("busy", (2,), "BOOL", [True, False]),
            InputTensor("unknown", (7,), "FP64", [0.0] * 7),
        ]
    )

    assert batch.rows() == [
        ROW,
        {"temp": 2.5, "count": 4, "busy": False, "city": "Rome"},
    ]


def test_strings_of_a_tensor_may_be_bytes():
    schema = InputSchema(features=(Feature(name="city", kind="string"),))

    batch = schema.parse_tensors([InputTensor("city", (1,), "BYTES", ["Zürich".encode()])])

    assert batch.rows() == [{"city": "Zürich"}]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], id="flat"),
        pytest.param([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], id="nested"),
        pytest.param(np.arange(1.0, 7.0).reshape(2, 3), id="array"),
        pytest.param(np.arange(1.0, 7.0, dtype=np.float16), id="flat array"),
    ],
)
def test_a_single_matrix_holds_the_features_in_schema_order(data):
    schema = InputSchema.of_floats(["a", "b", "c"])

    batch = schema.parse_tensors([InputTensor("input-0", (2, 3), "FP32", data)])

    assert batch.rows() == [{"a": 1.0, "b": 2.0, "c": 3.0}, {"a": 4.0, "b": 5.0, "c": 6.0}]


X = InputTensor("x", (2,), "FP64", [1.0, 2.0])


@pytest.mark.parametrize(
    ("tensors", "error", "message"),
    [
        ([], MissingFeature, "feature 'x' is missing"),
        ([X], MissingFeature, "feature 'n' is missing"),
        (
            [X, InputTensor("n", (2,), "FP64", [1.0, 2.7])],
            WrongType,
            "not a number with a fraction",
        ),
        ([X, InputTensor("n", (2,), "BYTES", ["1", "2"])], WrongType, "'n' must be int, not BYTES"),
        ([X, InputTensor("n", (2,), "INT8", [1, "2"])], WrongType, "'n' must be int, not string"),
        ([X, InputTensor("n", (2,), "INT8", [1, None])], WrongType, "'n' must be int, not null"),
        ([X, InputTensor("n", (2,), "UINT64", [1, 2**63])], OutOfRange, "'n' does not fit int64"),
        ([X, InputTensor("n", (3,), "INT8", [1, 2, 3])], WrongShape, r"shape \[2\] or \[2, 1\]"),
        ([X, InputTensor("n", (2,), "INT8", [1, 2, 3])], WrongShape, "2 values, not 3"),
        (
            [X, InputTensor("n", (2, 1), "INT8", [[1, 2], [3]])],
            WrongType,
            "'n' must be int, not array",
        ),
        ([InputTensor("x", (), "FP64", [1.0]), X], MissingFeature, "'n'"),
        ([InputTensor("m", (1, 2), "FP64", [1.0, 2.5])], WrongType, "not a number with a fraction"),
        ([InputTensor("m", (2, 2), "INT8", [1, 2, 3])], WrongShape, "4 values, not 3"),
        ([InputTensor("m", (-1, 2), "INT8", [])], WrongShape, "-2 values, not 0"),
        ([InputTensor("m", (1 << 60, 2), "INT8", [1])], WrongShape, "values, not 1"),
        ([InputTensor("m", (0, 2), "INT64", [])], WrongShape, r"at least one row, not \[0, 2\]"),
        (
            [InputTensor(name, (0,), "INT64", []) for name in ("x", "n")],
            WrongShape,
            "'x' must have at least one row",
        ),
        ([InputTensor("m", (1, 3), "INT8", [1, 2, 3])], WrongShape, r"shape \[n, 2\]"),
        ([InputTensor("m", (3,), "INT8", [1, 2, 3])], MissingFeature, "'x'"),
    ],
)
def test_tensors_that_contradict_the_schema_are_rejected(tensors, error, message):
    with pytest.raises(error, match=message):
        NUMBERS.parse_tensors(tensors)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_number_that_is_not_finite_rejects_the_whole_tensor_request(bad):
    matrix = np.array([[1.0, 2.0], [3.0, bad]])

    with pytest.raises(NotFinite, match="feature 'b'"):
        InputSchema.of_floats(["a", "b"]).parse_tensors([InputTensor("m", (2, 2), "FP64", matrix)])


def test_bytes_that_are_not_utf8_are_rejected():
    schema = InputSchema(features=(Feature(name="city", kind="string"),))

    with pytest.raises(WrongType, match="bytes that are not UTF-8"):
        schema.parse_tensors([InputTensor("city", (1,), "BYTES", [b"\xff"])])


@pytest.mark.parametrize(
    ("schema", "tensor", "rows"),
    [
        (NUMBERS, InputTensor("m", (2,), "INT8", [1, 2]), [{"x": 1.0, "n": 2}]),
        (NUMBERS, InputTensor("m", (1, 2), "FP64", [0.5, 2.0]), [{"x": 0.5, "n": 2}]),
        (NUMBERS, InputTensor("m", (1, 2), "BOOL", [True, False]), [{"x": 1.0, "n": 0}]),
        (
            InputSchema.of_floats(["a"]),
            InputTensor("m", (3,), "FP32", [1.0, 2.0, 3.0]),
            [{"a": 1.0}, {"a": 2.0}, {"a": 3.0}],
        ),
        (
            InputSchema(features=tuple(Feature(name=name, kind="string") for name in "ab")),
            InputTensor("m", (1, 2), "BYTES", [["x", b"y"]]),
            [{"a": "x", "b": "y"}],
        ),
    ],
)
def test_one_tensor_holds_all_features(schema, tensor, rows):
    assert schema.parse_tensors([tensor]).rows() == rows


def test_data_may_be_nested_as_deep_as_the_shape():
    nested = InputTensor("m", (1, 2, 2), "FP32", [[[1.0, 2.0], [3.0, 4.0]]])

    assert flatten_tensor(nested) == [1.0, 2.0, 3.0, 4.0]
    with pytest.raises(WrongShape, match="4 values"):
        flatten_tensor(InputTensor("m", (1, 2, 2), "FP32", [[[1.0, 2.0, 3.0], [4.0]]]))


@pytest.mark.parametrize(
    ("datatype", "fits", "too_large"),
    [
        ("INT64", 2**63 - 1, 2**63),
        ("INT64", -(2**63), -(2**63) - 1),
        ("INT64", -(2.0**63), 2.0**63),
        ("UINT64", 2**64 - 1, 2**64),
        ("UINT64", 2.0**63, 2.0**64),
        ("UINT8", 255, 256),
        ("FP16", 65504, 70000),
        ("FP32", 3e38, 1e39),
    ],
)
def test_a_number_that_a_tensors_type_cannot_hold_is_out_of_range(datatype, fits, too_large):
    spec = TensorSpec(name="t", datatype=datatype, shape=(None,))

    found = parse_input_tensors([spec], [InputTensor("t", (1,), datatype, [fits])])["t"]

    assert found[0] == pytest.approx(fits, rel=1e-6)
    with pytest.raises(OutOfRange):
        parse_input_tensors([spec], [InputTensor("t", (1,), datatype, [too_large])])
