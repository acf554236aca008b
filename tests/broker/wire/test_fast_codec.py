"""The fast codec reads every value like pydantic, or leaves it to pydantic."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.fast_codec import (
    ABSENT,
    HeadDecoder,
    MatrixDecoder,
    RowDecoder,
    decode_each,
    join_columns,
    json_numbers,
    json_strings,
)
from tests.broker.wire.request_strategies import (
    FEATURES,
    damaged_values,
    finite_numbers,
    good_rows,
    text,
)

HEADS = HeadDecoder()
ROWS = RowDecoder(FEATURES)
MATRICES = MatrixDecoder(2)


def decode_by_contract(value):
    try:
        return decode(Request, value)
    except DecodeError as error:
        return error


@given(damaged_values())
def test_a_value_read_by_the_fast_codec_is_read_alike_by_the_contract(value):
    (head,) = HEADS.decode([value])

    if head is None:
        return
    (row,), (numbers,) = ROWS.decode([head.features]), MATRICES.decode([head.inputs])
    if (row is None or head.inputs is not ABSENT) and (
        numbers is None or head.features is not ABSENT
    ):
        return
    try:
        Request(id=head.id, features={}, model=head.model, version=head.version)
    except ValueError:
        return
    request = decode_by_contract(value)
    assert isinstance(request, Request)
    assert (request.id, request.model) == (head.id, head.model)
    assert (request.version, request.event_time) == (head.version, head.event_time)
    if row is not None:
        (values,) = ROWS.to_tuples([row])
        assert dict(zip(("x", "n", "wet", "city"), values, strict=True)) == {
            **request.features,
            "x": float(request.features["x"]),
        }
    else:
        assert request.inputs[0].shape == (1, 2)
        assert [float(number) for number in request.inputs[0].data] == numbers


@given(st.lists(damaged_values(), max_size=5), st.lists(good_rows, min_size=1, max_size=3))
def test_no_record_changes_how_its_neighbours_are_read(others, rows):
    values = [json.dumps({"id": "me", "features": row}).encode() for row in rows]

    found = HEADS.decode([*others, *values, *others])

    assert found[len(others) :][: len(rows)] == HEADS.decode(values)
    assert found[: len(others)] == [one for value in others for one in HEADS.decode([value])]


@given(good_rows, st.booleans())
def test_a_row_is_written_so_that_every_parser_reads_the_same_values(row, repeat_name):
    features = json.dumps(row)
    if repeat_name:
        features = '{"x": 0, ' + features[1:]
    (head,) = HEADS.decode([b'{"id":"r","features":%b}' % features.encode()])
    if head is None:
        return
    (decoded,) = ROWS.decode([head.features])

    (written,) = ROWS.to_json([decoded], [head.features])

    pairs = json.loads(bytes(written), object_pairs_hook=list)
    assert dict(pairs) == row | {"x": pytest.approx(row["x"], rel=1e-15, abs=0)}
    assert len(pairs) == len(row)


tensor_names = text | st.sampled_from(["data", '"data":[9,9]', ":", "[", "x"])
pairs_of_numbers = st.lists(finite_numbers, min_size=2, max_size=2)


@given(
    st.lists(st.tuples(tensor_names, pairs_of_numbers, st.booleans(), st.booleans()), max_size=4)
)
def test_the_numbers_of_a_tensor_are_copied_as_they_were_read(tensors):
    inputs = []
    for name, data, repeat_key, with_spaces in tensors:
        tensor = {"name": name, "shape": [1, 2], "datatype": "FP32", "data": data}
        if with_spaces:
            tensor = dict(reversed(tensor.items()))
        written = json.dumps([tensor], separators=None if with_spaces else (",", ":"))
        if repeat_key:
            written = '[{"d\\u0061ta": [8, 8], ' + written[2:]
        (head,) = HEADS.decode([b'{"id":"r","inputs":%b}' % written.encode()])
        if head is not None:
            inputs.append(head.inputs)
    decoded = MATRICES.decode(inputs)
    if None in decoded:
        return

    copied = MATRICES.data_json(inputs)

    if copied is not None:
        assert [json.loads(one, parse_int=float) for one in copied] == decoded
    is_unambiguous = all(":" not in name and not repeated for name, _, repeated, _ in tensors)
    assert (copied is not None) == is_unambiguous


@given(st.lists(text))
def test_each_string_is_encoded_by_itself(strings):
    assert [json.loads(b'"%b"' % one) for one in json_strings(strings)] == strings


@pytest.mark.slow
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_each_number_is_encoded_by_itself(numbers):
    assert [json.loads(one) for one in json_numbers(numbers)] == numbers


def test_a_value_that_cannot_be_decoded_leaves_none_in_its_place():
    broken = [b"1", b"x", b"3", b"\xff", b"", b"6"]

    assert decode_each(decode_number, broken) == [1, None, 3, None, None, 6]


def decode_number(value):
    (head,) = HEADS.decode([b'{"id":"r","event_time":%b}' % value])
    if head is None:
        raise UnicodeDecodeError("ascii", value, 0, 1, "not a number")
    return head.event_time


def test_columns_are_joined_with_constant_parts():
    assert join_columns([b"<", [b"a", b"b"], b">"]) == [b"<a>", b"<b>"]


def test_a_thousand_ids_stay_with_their_rows():
    values = [b'{"id":"r-%d","features":{"x":%d}}' % (n, n) for n in range(1000)]

    heads = HEADS.decode(values)
    rows = RowDecoder([("x", "float")]).decode(head.features for head in heads)

    assert [row.f0 for row in rows] == [math.floor(n) for n in range(1000)]
    assert [head.id for head in heads] == [f"r-{n}" for n in range(1000)]
