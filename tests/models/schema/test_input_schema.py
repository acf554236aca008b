import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from modstream.models.errors import InputError, MissingFeature, NotFinite, OutOfRange, WrongType
from modstream.models.schema.input_schema import Batch, Feature, InputSchema

SCHEMA = InputSchema(
    features=(
        Feature(name="temp", kind="float"),
        Feature(name="count", kind="int"),
        Feature(name="busy", kind="bool"),
        Feature(name="city", kind="string"),
    )
)
ROW = {"temp": 1.5, "count": 3, "busy": True, "city": "Oslo"}


def test_clean_rows_become_typed_columns():
    read = SCHEMA.parse_rows([ROW, ROW | {"temp": 2, "city": "Rome"}])

    dtypes = {name: column.dtype for name, column in read.batch.columns.items()}
    assert dtypes == {"temp": np.float64, "count": np.int64, "busy": np.bool_, "city": np.object_}
    assert read.batch.rows() == [ROW, ROW | {"temp": 2.0, "city": "Rome"}]
    assert (read.valid_positions, read.errors) == ([0, 1], {})


@pytest.mark.parametrize(
    ("change", "error", "code", "message"),
    [
        ({"temp": None}, WrongType, "wrong_type", "feature 'temp' must be float, not null"),
        ({"temp": "1.5"}, WrongType, "wrong_type", "feature 'temp' must be float, not string"),
        ({"temp": [1]}, WrongType, "wrong_type", "feature 'temp' must be float, not array"),
        ({"temp": math.nan}, NotFinite, "not_finite", "'temp' must be finite"),
        ({"temp": -math.inf}, NotFinite, "not_finite", "'temp' must be finite"),
        ({"temp": 10**400}, OutOfRange, "out_of_range", "'temp' does not fit float64"),
        ({"count": 2.7}, WrongType, "wrong_type", "'count' must be int, not a number with a frac"),
        ({"count": math.nan}, NotFinite, "not_finite", "'count' must be finite"),
        ({"count": 1e19}, OutOfRange, "out_of_range", "'count' does not fit int64"),
        ({"count": 2**63}, OutOfRange, "out_of_range", "'count' does not fit int64"),
        ({"busy": 1}, WrongType, "wrong_type", "'busy' must be bool, not int"),
        ({"city": 7}, WrongType, "wrong_type", "'city' must be string, not int"),
        ({"city": {}}, WrongType, "wrong_type", "'city' must be string, not object"),
        ({"city": "\ud800"}, WrongType, "wrong_type", "'city' must be string, not invalid Unicode"),
    ],
)
def test_an_invalid_value_rejects_its_own_row_only(change, error, code, message):
    read = SCHEMA.parse_rows([ROW, ROW | change, ROW])

    assert read.valid_positions == [0, 2]
    assert read.batch.rows() == [ROW, ROW]
    assert type(read.errors[1]) is error
    assert read.errors[1].code == code
    assert message in str(read.errors[1])


def test_a_missing_feature_rejects_its_own_row_only():
    without = {name: value for name, value in ROW.items() if name != "busy"}

    read = SCHEMA.parse_rows([without, ROW])

    assert read.valid_positions == [1]
    assert isinstance(read.errors[0], MissingFeature)
    assert str(read.errors[0]) == "feature 'busy' is missing"


def test_of_several_faults_in_a_row_the_first_in_schema_order_is_reported():
    read = SCHEMA.parse_rows([{"city": 1, "temp": math.nan}])

    assert isinstance(read.errors[0], NotFinite)


def test_numpy_scalars_are_accepted():
    row = {
        "temp": np.float32(1.5),
        "count": np.int16(3),
        "busy": np.bool_(True),
        "city": np.str_("Oslo"),
    }

    read = SCHEMA.parse_rows([row])

    assert read.errors == {}
    assert read.batch.rows() == [ROW]


def test_the_largest_integers_are_kept_exactly():
    rows = [ROW | {"count": 2**63 - 1}, ROW | {"count": -(2**63)}]

    assert SCHEMA.parse_rows(rows).batch.rows() == rows


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


@pytest.mark.slow
@given(_ROWS)
@settings(max_examples=300, deadline=None)
def test_parsing_by_column_agrees_with_parsing_value_by_value(rows):
    together = SCHEMA.parse_rows(rows)

    by_value = [[feature.parse(row) for feature in SCHEMA.features] for row in rows]
    good = [i for i, values in enumerate(by_value) if not _errors(values)]
    assert together.valid_positions == good
    assert together.batch.rows() == [
        dict(zip(SCHEMA.names, by_value[i], strict=True)) for i in good
    ]
    assert together.batch.size == len(good)
    expected = {i: str(_errors(values)[0]) for i, values in enumerate(by_value) if _errors(values)}
    assert {i: str(error) for i, error in together.errors.items()} == expected


@pytest.mark.slow
@given(_ROWS)
@settings(max_examples=100, deadline=None)
def test_a_row_is_parsed_alike_alone_and_among_others(rows):
    together = SCHEMA.parse_rows(rows)

    alone = [SCHEMA.parse_rows([row]) for row in rows]

    assert together.valid_positions == [i for i, read in enumerate(alone) if read.valid_positions]
    assert together.batch.rows() == [row for read in alone for row in read.batch.rows()]


def _errors(values: list) -> list[InputError]:
    return [value for value in values if isinstance(value, InputError)]


def test_batches_can_be_concatenated_and_rows_taken():
    whole = SCHEMA.parse_rows([ROW | {"count": i} for i in range(5)]).batch

    again = Batch.concat([whole.take([0, 1]), whole.take([]), whole.take([4, 3])])

    assert [row["count"] for row in again.rows()] == [0, 1, 4, 3]
    assert again.size == 4


def test_the_features_of_a_schema_have_distinct_names():
    with pytest.raises(ValidationError, match="two features have the same name"):
        InputSchema.of_floats(["a", "a"])


def test_a_bool_is_a_number_and_a_whole_float_is_an_integer():
    read = SCHEMA.parse_rows([ROW | {"temp": True, "count": 3.0}, ROW | {"count": False}])

    assert read.errors == {}
    assert read.batch.rows() == [ROW | {"temp": 1.0}, ROW | {"count": 0}]


NARROW = InputSchema(
    features=(
        Feature(name="small", kind="int", dtype="int32"),
        Feature(name="single", kind="float", dtype="float32"),
    )
)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"small": 4294967297, "single": 0.0}, "'small' does not fit int32"),
        ({"small": -(2**31) - 1, "single": 0.0}, "'small' does not fit int32"),
        ({"small": 0, "single": 1e39}, "'single' does not fit float32"),
    ],
)
def test_a_number_outside_the_models_type_is_rejected_and_never_narrowed(row, message):
    fitting = {"small": 2**31 - 1, "single": 3.4e38}

    read = NARROW.parse_rows([fitting, row])

    assert read.batch.rows() == [fitting]
    assert str(read.errors[1]) == f"feature {message}"


def test_rows_of_a_matrix_outside_the_models_type_are_found():
    schema = InputSchema(
        features=tuple(Feature(name=name, kind="float", dtype="float32") for name in "ab")
    )
    matrix = np.array([[1.0, -3.4e38], [1e39, 0.0], [0.0, -1e39]])

    assert schema.rows_in_range(Batch.of_matrix(["a", "b"], matrix[:1])) is None
    assert schema.rows_in_range(Batch.of_matrix(["a", "b"], matrix)).tolist() == [
        True,
        False,
        False,
    ]
    assert SCHEMA.rows_in_range(SCHEMA.parse_rows([ROW]).batch) is None


def test_only_features_that_may_be_missing_accept_null_nan_and_absence():
    schema = InputSchema(
        features=(
            Feature(name="temp", kind="float", missing=True),
            Feature(name="city", kind="string", missing=True),
            Feature(name="count", kind="float"),
        )
    )

    read = schema.parse_rows(
        [
            {"count": 1.0},
            {"temp": None, "city": None, "count": 2.0},
            {"temp": math.nan, "city": "Oslo", "count": 3.0},
            {"temp": math.inf, "count": 4.0},
            {"temp": 0.0, "city": "Rome", "count": None},
        ]
    )

    rows = read.batch.rows()
    assert [row["city"] for row in rows] == [None, None, "Oslo"]
    assert all(math.isnan(row["temp"]) for row in rows)
    assert {at: type(error) for at, error in read.errors.items()} == {3: NotFinite, 4: WrongType}


def test_an_integer_cannot_be_missing():
    with pytest.raises(ValidationError, match="only a float or a string can be missing"):
        Feature(name="count", kind="int", missing=True)


@pytest.mark.parametrize(
    ("names", "is_covered"),
    [(["a", "b"], True), (["b"], True), (["a"], False), ([], False), (["c"], False)],
)
def test_a_row_covers_a_schema_with_all_features_that_may_not_be_missing(names, is_covered):
    schema = InputSchema(
        features=(
            Feature(name="a", kind="float", missing=True),
            Feature(name="b", kind="float"),
        )
    )

    assert schema.is_covered_by(names) is is_covered


def test_a_row_without_any_feature_covers_no_schema():
    schema = InputSchema(features=(Feature(name="a", kind="float", missing=True),))

    assert not schema.is_covered_by(["other"])
    assert schema.is_covered_by(["a"])
