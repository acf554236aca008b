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


def test_a_schema_needs_features_with_distinct_names():
    with pytest.raises(ValidationError, match="at least 1 item"):
        InputSchema(features=())
    with pytest.raises(ValidationError, match="two features have the same name"):
        InputSchema.of_floats(["a", "a"])
