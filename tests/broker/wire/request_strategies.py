"""Hypothesis strategies of requests: valid, invalid, and with damaged bytes."""

import json

from hypothesis import strategies as st

FEATURES = [("x", "float"), ("n", "int"), ("wet", "bool"), ("city", "string")]

text = st.text(max_size=6) | st.sampled_from(['a",', '"', ",", "\\", '","', "Zürich", "\x00"])
integers = st.integers(-(2**70), 2**70)
scalars = st.none() | st.booleans() | integers | st.floats() | text
good_rows = st.fixed_dictionaries(
    {
        "x": st.floats(allow_nan=False, allow_infinity=False) | integers,
        "n": st.integers(-(2**63), 2**63 - 1),
        "wet": st.booleans(),
        "city": text,
    }
)
any_rows = good_rows | st.dictionaries(
    st.sampled_from(["x", "n", "wet", "city", "other"]), scalars | st.lists(scalars, max_size=2)
)
finite_numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63)
good_matrices = st.fixed_dictionaries(
    {
        "name": text,
        "shape": st.just([1, 2]),
        "datatype": st.sampled_from(["FP32", "FP64", "INT8"]),
        "data": st.lists(finite_numbers, min_size=2, max_size=2),
    }
)
any_matrices = st.fixed_dictionaries(
    {
        "name": text,
        "shape": st.sampled_from([[1, 2], [2, 1], [2], [1, 2, 1], [1, -2], [1, 2.0], [True, 2]]),
        "datatype": st.sampled_from(["FP32", "FP64", "INT8", "BYTES", "BOOL", "fp32"]),
        "data": st.lists(st.floats() | integers | st.none(), max_size=3),
    },
    optional={"parameters": st.just({}), "extra": scalars},
)
good_heads = st.fixed_dictionaries(
    {"id": text.filter(bool)}, optional={"event_time": st.integers(0)}
)
any_head_fields = {
    "id": text | st.text(min_size=255, max_size=258) | scalars,
    "model": st.sampled_from(["m", "my.model", "", "m\n", "a b", 7, None]),
    "version": st.sampled_from([1, 0, -1, "champion", "3", True, 1.0, None, 2**70]),
    "event_time": integers | st.sampled_from([None, "7", 1.0, 1.5, True]),
    "schema_version": st.sampled_from([1, 2, "1", True, 1.0]),
    "unknown": scalars,
}
documents = st.one_of(
    st.builds(lambda head, row: head | {"features": row}, good_heads, good_rows),
    st.builds(lambda head, one: head | {"inputs": [one]}, good_heads, good_matrices),
    st.fixed_dictionaries(
        {},
        optional={
            **any_head_fields,
            "features": any_rows,
            "inputs": st.lists(any_matrices, max_size=2),
        },
    ),
)


@st.composite
def damaged_values(draw):
    """The bytes of a request, of which some may be removed, repeated or replaced."""
    document = draw(documents)
    value = json.dumps(document, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")
    for _ in range(draw(st.integers(0, 2))):
        begin, end = sorted(draw(st.tuples(*[st.integers(0, len(value))] * 2)))
        filling = draw(st.sampled_from([b"", b'"', b"}", b",", b"0", b"\xff", b"\\", b" "]))
        value = draw(st.sampled_from([value[:begin] + filling + value[end:], value[:end] + value]))
    return value
