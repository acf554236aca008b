"""The short way reads nothing that pydantic would not read alike, and leaves it the last word."""

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
    Heads,
    Matrices,
    Rows,
    each,
    joined,
    json_numbers,
    json_texts,
)

FEATURES = [("x", "float"), ("n", "int"), ("wet", "bool"), ("city", "string")]
HEADS = Heads()
ROWS = Rows(FEATURES)
MATRICES = Matrices(2)

text = st.text(max_size=6) | st.sampled_from(['a",', '"', ",", "\\", '","', "Zürich", "\x00"])
integers = st.integers(-(2**70), 2**70)
scalars = st.none() | st.booleans() | integers | st.floats() | text
good_row = st.fixed_dictionaries(
    {
        "x": st.floats(allow_nan=False, allow_infinity=False) | integers,
        "n": st.integers(-(2**63), 2**63 - 1),
        "wet": st.booleans(),
        "city": text,
    }
)
any_row = good_row | st.dictionaries(
    st.sampled_from(["x", "n", "wet", "city", "other"]), scalars | st.lists(scalars, max_size=2)
)
matrix = st.fixed_dictionaries(
    {
        "name": text,
        "shape": st.sampled_from([[1, 2], [2, 1], [2], [1, 2, 1], [1, -2], [1, 2.0], [True, 2]]),
        "datatype": st.sampled_from(["FP32", "FP64", "INT8", "BYTES", "BOOL", "fp32"]),
        "data": st.lists(st.floats() | integers | st.none(), max_size=3),
    },
    optional={"parameters": st.just({}), "extra": scalars},
)
head = {
    "id": text | st.text(min_size=255, max_size=258) | scalars,
    "model": st.sampled_from(["m", "", "m\n", "a b", 7, None]),
    "version": st.sampled_from([1, 0, -1, "champion", "3", True, 1.0, None, 2**70]),
    "event_time": integers | st.sampled_from([None, "7", 1.0, 1.5, True]),
    "schema_version": st.sampled_from([1, 2, "1", True, 1.0]),
    "unknown": scalars,
}
finite = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63)
good_matrix = st.fixed_dictionaries(
    {
        "name": text,
        "shape": st.just([1, 2]),
        "datatype": st.sampled_from(["FP32", "FP64", "INT8"]),
        "data": st.lists(finite, min_size=2, max_size=2),
    }
)
named = st.fixed_dictionaries({"id": text.filter(bool)}, optional={"event_time": st.integers(0)})
documents = st.one_of(
    st.builds(lambda head_, row: head_ | {"features": row}, named, good_row),
    st.builds(lambda head_, one: head_ | {"inputs": [one]}, named, good_matrix),
    st.fixed_dictionaries(
        {}, optional={**head, "features": any_row, "inputs": st.lists(matrix, max_size=2)}
    ),
)


@st.composite
def mutated(draw):
    """A request's bytes, of which some may be cut out, doubled or changed."""
    document = draw(documents)
    value = json.dumps(document, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")
    for _ in range(draw(st.integers(0, 2))):
        begin, end = sorted(draw(st.tuples(*[st.integers(0, len(value))] * 2)))
        filling = draw(st.sampled_from([b"", b'"', b"}", b",", b"0", b"\xff", b"\\", b" "]))
        value = draw(st.sampled_from([value[:begin] + filling + value[end:], value[:end] + value]))
    return value


def by_contract(value):
    try:
        return decode(Request, value)
    except DecodeError as error:
        return error


@given(mutated())
def test_what_the_short_way_reads_the_contract_reads_alike(value):
    (found,) = HEADS.read([value])

    if found is None:
        return
    (row,), (numbers,) = ROWS.read([found.features]), MATRICES.read([found.inputs])
    if (row is None or found.inputs is not ABSENT) and (
        numbers is None or found.features is not ABSENT
    ):
        return
    try:
        Request(id=found.id, features={}, model=found.model, version=found.version)
    except ValueError:
        return
    request = by_contract(value)
    assert isinstance(request, Request)
    assert (request.id, request.model) == (found.id, found.model)
    assert (request.version, request.event_time) == (found.version, found.event_time)
    if row is not None:
        (values,) = ROWS.tuples([row])
        assert dict(zip(("x", "n", "wet", "city"), values, strict=True)) == {
            **request.features,
            "x": float(request.features["x"]),
        }
    else:
        assert request.inputs[0].shape == (1, 2)
        assert [float(number) for number in request.inputs[0].data] == numbers


@given(st.lists(mutated(), max_size=5), st.lists(good_row, min_size=1, max_size=3))
def test_no_record_changes_what_is_read_of_its_neighbours(strangers, rows):
    values = [json.dumps({"id": "me", "features": row}).encode() for row in rows]

    found = HEADS.read([*strangers, *values, *strangers])

    assert found[len(strangers) :][: len(rows)] == HEADS.read(values)
    assert found[: len(strangers)] == [one for value in strangers for one in HEADS.read([value])]


@given(good_row, st.booleans())
def test_a_row_is_written_so_that_every_reader_finds_what_was_read(row, twice):
    features = json.dumps(row)
    if twice:
        features = '{"x": 0, ' + features[1:]
    (found,) = HEADS.read([b'{"id":"r","features":%b}' % features.encode()])
    if found is None:
        return
    (read,) = ROWS.read([found.features])

    (written,) = ROWS.written([read], [found.features])

    pairs = json.loads(bytes(written), object_pairs_hook=list)
    assert dict(pairs) == row | {"x": pytest.approx(row["x"], rel=1e-15, abs=0)}
    assert len(pairs) == len(row)


tensor_names = text | st.sampled_from(["data", '"data":[9,9]', ":", "[", "x"])
numbers = st.lists(finite, min_size=2, max_size=2)


@given(st.lists(st.tuples(tensor_names, numbers, st.booleans(), st.booleans()), max_size=4))
def test_the_numbers_of_a_tensor_are_kept_as_they_were_read(tensors):
    inputs = []
    for name, data, twice, spaced in tensors:
        one = {"name": name, "shape": [1, 2], "datatype": "FP32", "data": data}
        if spaced:
            one = dict(reversed(one.items()))
        written = json.dumps([one], separators=None if spaced else (",", ":"))
        if twice:
            written = '[{"d\\u0061ta": [8, 8], ' + written[2:]
        (head_,) = HEADS.read([b'{"id":"r","inputs":%b}' % written.encode()])
        if head_ is not None:
            inputs.append(head_.inputs)
    read = MATRICES.read(inputs)
    if None in read:
        return

    kept = MATRICES.data(inputs)

    if kept is not None:
        assert [json.loads(one, parse_int=float) for one in kept] == read
    plain_names = all(":" not in name and not twice for name, _, twice, _ in tensors)
    assert (kept is not None) == plain_names


@given(st.lists(text))
def test_texts_come_back_each_for_itself(texts):
    assert [json.loads(b'"%b"' % one) for one in json_texts(texts)] == texts


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_come_back_each_for_itself(numbers):
    assert [json.loads(one) for one in json_numbers(numbers)] == numbers


def test_a_value_that_cannot_be_read_leaves_a_gap_and_the_others_in_their_places():
    broken = [b"1", b"x", b"3", b"\xff", b"", b"6"]

    assert each(json_number, broken) == [1, None, 3, None, None, 6]


def json_number(value):
    (head_,) = HEADS.read([b'{"id":"r","event_time":%b}' % value])
    if head_ is None:
        raise UnicodeDecodeError("ascii", value, 0, 1, "no number")
    return head_.event_time


def test_documents_are_joined_of_what_they_share_and_what_they_do_not():
    assert joined([b"<", [b"a", b"b"], b">"]) == [b"<a>", b"<b>"]


def test_an_id_of_a_thousand_rows_stays_with_its_row():
    values = [b'{"id":"r-%d","features":{"x":%d}}' % (n, n) for n in range(1000)]

    found = Rows([("x", "float")]).read(one.features for one in HEADS.read(values))

    assert [row.f0 for row in found] == [math.floor(n) for n in range(1000)]
