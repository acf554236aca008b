import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from modstream.models.errors import (
    InputError,
    MissingFeature,
    NotFinite,
    OutOfRange,
    WrongShape,
    WrongType,
)
from modstream.models.schema.input_schema import Batch, Feature, InputSchema, Tensor

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


def test_clean_rows_become_typed_columns():
    read = SCHEMA.batch([ROW, ROW | {"temp": 2, "city": "Rome"}])

    dtypes = {name: column.dtype for name, column in read.batch.columns.items()}
    assert dtypes == {"temp": np.float64, "count": np.int64, "busy": np.bool_, "city": np.object_}
    assert read.batch.rows() == [ROW, ROW | {"temp": 2.0, "city": "Rome"}]
    assert (read.kept, read.errors) == ([0, 1], {})


@pytest.mark.parametrize(
    ("change", "error", "code", "message"),
    [
        ({"temp": None}, WrongType, "wrong_type", "feature 'temp' must be float, not null"),
        ({"temp": "1.5"}, WrongType, "wrong_type", "feature 'temp' must be float, not string"),
        ({"temp": True}, WrongType, "wrong_type", "feature 'temp' must be float, not bool"),
        ({"temp": [1]}, WrongType, "wrong_type", "feature 'temp' must be float, not array"),
        ({"temp": math.nan}, NotFinite, "not_finite", "'temp' must be finite"),
        ({"temp": -math.inf}, NotFinite, "not_finite", "'temp' must be finite"),
        ({"temp": 10**400}, OutOfRange, "out_of_range", "'temp' does not fit float64"),
        ({"count": 1.0}, WrongType, "wrong_type", "'count' must be int, not float"),
        ({"count": False}, WrongType, "wrong_type", "'count' must be int, not bool"),
        ({"count": 2**63}, OutOfRange, "out_of_range", "'count' does not fit int64"),
        ({"busy": 1}, WrongType, "wrong_type", "'busy' must be bool, not int"),
        ({"city": 7}, WrongType, "wrong_type", "'city' must be string, not int"),
        ({"city": {}}, WrongType, "wrong_type", "'city' must be string, not object"),
        ({"city": "\ud800"}, WrongType, "wrong_type", "'city' must be string, not broken Unicode"),
    ],
)
def test_a_bad_value_costs_its_own_row_only(change, error, code, message):
    read = SCHEMA.batch([ROW, ROW | change, ROW])

    assert read.kept == [0, 2]
    assert read.batch.rows() == [ROW, ROW]
    assert type(read.errors[1]) is error
    assert read.errors[1].code == code
    assert message in str(read.errors[1])


def test_a_missing_feature_costs_its_own_row_only():
    without = {name: value for name, value in ROW.items() if name != "busy"}

    read = SCHEMA.batch([without, ROW])

    assert read.kept == [1]
    assert isinstance(read.errors[0], MissingFeature)
    assert str(read.errors[0]) == "feature 'busy' is missing"


def test_of_several_faults_in_a_row_the_first_in_schema_order_is_reported():
    read = SCHEMA.batch([{"city": 1, "temp": math.nan}])

    assert isinstance(read.errors[0], NotFinite)


def test_numbers_of_numpy_are_numbers():
    row = {
        "temp": np.float32(1.5),
        "count": np.int16(3),
        "busy": np.bool_(True),
        "city": np.str_("Oslo"),
    }

    read = SCHEMA.batch([row])

    assert read.errors == {}
    assert read.batch.rows() == [ROW]


def test_the_largest_integers_survive():
    rows = [ROW | {"count": 2**63 - 1}, ROW | {"count": -(2**63)}]

    assert SCHEMA.batch(rows).batch.rows() == rows


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(st.characters(codec=None), max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=3,
)
_GOOD = st.fixed_dictionaries(
    {
        "temp": st.floats(allow_nan=False, allow_infinity=False),
        "count": st.integers(-(2**63), 2**63 - 1),
        "busy": st.booleans(),
        "city": st.text(max_size=5),
    }
)
_ANY = st.dictionaries(st.sampled_from(["temp", "count", "busy", "city", "other"]), _JSON)
_ROWS = st.lists(_GOOD | _ANY | st.builds(lambda good, any_: good | any_, _GOOD, _ANY), max_size=6)


@given(_ROWS)
@settings(max_examples=300, deadline=None)
def test_any_rows_are_sorted_and_the_fast_way_agrees_with_the_careful_one(rows):
    together = SCHEMA.batch(rows)

    careful = [[feature.read(row) for feature in SCHEMA.features] for row in rows]
    good = [i for i, values in enumerate(careful) if not _errors(values)]
    assert together.kept == good
    assert together.batch.rows() == [dict(zip(SCHEMA.names, careful[i], strict=True)) for i in good]
    assert together.batch.size == len(good)
    expected = {i: str(_errors(values)[0]) for i, values in enumerate(careful) if _errors(values)}
    assert {i: str(error) for i, error in together.errors.items()} == expected


@given(_ROWS)
@settings(max_examples=100, deadline=None)
def test_a_row_is_judged_alike_alone_and_in_company(rows):
    together = SCHEMA.batch(rows)

    alone = [SCHEMA.batch([row]) for row in rows]

    assert together.kept == [i for i, read in enumerate(alone) if read.kept]
    assert together.batch.rows() == [row for read in alone for row in read.batch.rows()]


def _errors(values: list) -> list[InputError]:
    return [value for value in values if isinstance(value, InputError)]


def test_batches_can_be_joined_and_picked_from():
    whole = SCHEMA.batch([ROW | {"count": i} for i in range(5)]).batch

    again = Batch.concat([whole.take([0, 1]), whole.take([]), whole.take([4, 3])])

    assert [row["count"] for row in again.rows()] == [0, 1, 4, 3]
    assert again.size == 4


def test_a_tensor_for_each_feature_becomes_a_batch():
    batch = SCHEMA.tensors(
        [
            Tensor("city", (2, 1), "BYTES", [["Oslo"], ["Rome"]]),
            Tensor("temp", (2,), "FP32", np.array([1.5, 2.5], dtype=np.float32)),
            Tensor("count", (2, 1), "INT64", [3, 4]),
            Tensor("busy", (2,), "BOOL", [True, False]),
            Tensor("unknown", (7,), "FP64", [0.0] * 7),
        ]
    )

    assert batch.rows() == [
        ROW,
        {"temp": 2.5, "count": 4, "busy": False, "city": "Rome"},
    ]


def test_strings_of_a_tensor_may_be_bytes():
    schema = InputSchema(features=(Feature(name="city", kind="string"),))

    batch = schema.tensors([Tensor("city", (1,), "BYTES", ["Zürich".encode()])])

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
    schema = InputSchema.floats(["a", "b", "c"])

    batch = schema.tensors([Tensor("input-0", (2, 3), "FP32", data)])

    assert batch.rows() == [{"a": 1.0, "b": 2.0, "c": 3.0}, {"a": 4.0, "b": 5.0, "c": 6.0}]


def test_tensors_of_no_rows_are_an_empty_batch():
    assert NUMBERS.tensors([Tensor("m", (0, 2), "INT64", [])]).size == 0


X = Tensor("x", (2,), "FP64", [1.0, 2.0])


@pytest.mark.parametrize(
    ("tensors", "error", "message"),
    [
        ([], MissingFeature, "feature 'x' is missing"),
        ([X], MissingFeature, "feature 'n' is missing"),
        ([X, Tensor("n", (2,), "FP64", [1.0, 2.0])], WrongType, "'n' must be int, not FP64"),
        ([X, Tensor("n", (2,), "BYTES", ["1", "2"])], WrongType, "'n' must be int, not BYTES"),
        ([X, Tensor("n", (2,), "INT8", [1, "2"])], WrongType, "'n' must be int, not string"),
        ([X, Tensor("n", (2,), "INT8", [1, True])], WrongType, "'n' must be int, not bool"),
        ([X, Tensor("n", (2,), "INT8", [1, None])], WrongType, "'n' must be int, not null"),
        ([X, Tensor("n", (2,), "UINT64", [1, 2**63])], OutOfRange, "'n' does not fit int64"),
        ([X, Tensor("n", (3,), "INT8", [1, 2, 3])], WrongShape, r"shape \[2\] or \[2, 1\]"),
        ([X, Tensor("n", (2,), "INT8", [1, 2, 3])], WrongShape, "2 values, not 3"),
        ([X, Tensor("n", (2, 1), "INT8", [[1, 2], [3]])], WrongType, "'n' must be int, not array"),
        ([Tensor("x", (), "FP64", [1.0]), X], MissingFeature, "'n'"),
        ([Tensor("m", (1, 2), "FP64", [1.0, 2.0])], WrongType, "'n' must be int, not FP64"),
        ([Tensor("m", (2, 2), "INT8", [1, 2, 3])], WrongShape, "4 values, not 3"),
        ([Tensor("m", (-1, 2), "INT8", [])], WrongShape, "-2 values, not 0"),
        ([Tensor("m", (1 << 60, 2), "INT8", [1])], WrongShape, "values, not 1"),
        ([Tensor("m", (1, 3), "INT8", [1, 2, 3])], MissingFeature, "'x'"),
        ([Tensor("m", (2,), "INT8", [1, 2])], MissingFeature, "'x'"),
    ],
)
def test_tensors_that_contradict_the_schema_are_refused(tensors, error, message):
    with pytest.raises(error, match=message):
        NUMBERS.tensors(tensors)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_one_number_that_is_not_finite_spoils_the_whole_tensor_request(bad):
    matrix = np.array([[1.0, 2.0], [3.0, bad]])

    with pytest.raises(NotFinite, match="feature 'b'"):
        InputSchema.floats(["a", "b"]).tensors([Tensor("m", (2, 2), "FP64", matrix)])


def test_bytes_that_are_not_utf8_are_refused():
    schema = InputSchema(features=(Feature(name="city", kind="string"),))

    with pytest.raises(WrongType, match="bytes that are not UTF-8"):
        schema.tensors([Tensor("city", (1,), "BYTES", [b"\xff"])])


def test_a_schema_needs_features_of_different_names():
    with pytest.raises(ValidationError, match="at least 1 item"):
        InputSchema(features=())
    with pytest.raises(ValidationError, match="two features have the same name"):
        InputSchema.floats(["a", "a"])
