import math

import numpy as np
import pytest

from modstream.models.errors import MissingFeature, NotFinite, OutOfRange, WrongShape, WrongType
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.tensors import InputTensor

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


def test_tensors_without_rows_are_an_empty_batch():
    assert NUMBERS.parse_tensors([InputTensor("m", (0, 2), "INT64", [])]).size == 0


X = InputTensor("x", (2,), "FP64", [1.0, 2.0])


@pytest.mark.parametrize(
    ("tensors", "error", "message"),
    [
        ([], MissingFeature, "feature 'x' is missing"),
        ([X], MissingFeature, "feature 'n' is missing"),
        ([X, InputTensor("n", (2,), "FP64", [1.0, 2.0])], WrongType, "'n' must be int, not FP64"),
        ([X, InputTensor("n", (2,), "BYTES", ["1", "2"])], WrongType, "'n' must be int, not BYTES"),
        ([X, InputTensor("n", (2,), "INT8", [1, "2"])], WrongType, "'n' must be int, not string"),
        ([X, InputTensor("n", (2,), "INT8", [1, True])], WrongType, "'n' must be int, not bool"),
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
        ([InputTensor("m", (1, 2), "FP64", [1.0, 2.0])], WrongType, "'n' must be int, not FP64"),
        ([InputTensor("m", (2, 2), "INT8", [1, 2, 3])], WrongShape, "4 values, not 3"),
        ([InputTensor("m", (-1, 2), "INT8", [])], WrongShape, "-2 values, not 0"),
        ([InputTensor("m", (1 << 60, 2), "INT8", [1])], WrongShape, "values, not 1"),
        ([InputTensor("m", (1, 3), "INT8", [1, 2, 3])], MissingFeature, "'x'"),
        ([InputTensor("m", (2,), "INT8", [1, 2])], MissingFeature, "'x'"),
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
