"""Feedback is read fast, and as its contract says."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Feedback, Scored
from modstream.broker.wire.feedback_codec import Fed, FeedbackReader

READER = FeedbackReader()
GOOD = {
    "id": "a", "label": True, "features": {"x": 1, "y": 0.5, "z": "w", "n": None, "b": False},
    "predictions": [{"model": "m", "version": 3, "outputs": {"probability": 0.25}}],
    "event_time": 1, "label_time": 2,
}  # fmt: skip


def both(value):
    """What either way says of a value."""
    found = []
    for read in (lambda: READER.read(value), lambda: decode(Feedback, value)):
        try:
            found.append(facts(read()))
        except DecodeError as error:
            found.append((error.code, str(error)))
    return found


def facts(told):
    """Fields with the types of their values, in which 1, 1.0 and True differ."""
    plain = structs.asdict(told) if isinstance(told, Fed) else dict(told)
    plain["predictions"] = [(one.model, one.version, one.outputs) for one in told.predictions]
    return {name: repr(value) for name, value in plain.items()}


def test_the_usual_feedback_is_read_the_fast_way():
    assert isinstance(READER.read(json.dumps(GOOD).encode()), Fed)
    message = Feedback(**{**GOOD, "predictions": (Scored(**GOOD["predictions"][0]),)})
    assert isinstance(READER.read(encode(message)), Fed)


@pytest.mark.parametrize(
    "change",
    [
        {"features": {"x": float("nan")}}, {"features": {"x": [1]}}, {"label": None}, {"id": ""},
        {"label": {}}, {"event_time": "1"}, {"event_time": 1.0}, {"event_time": 1.5},
        {"schema_version": 2}, {"revises": False}, {"revises": 0}, {"features": None},
        {"predictions": []}, {"predictions": None}, {"more": 1}, {"label": 2**70},
        {"features": {"x": 10**400}}, {"event_time": True}, {"predictions": [{"model": "a b"}]},
    ],
)  # fmt: skip
def test_both_ways_agree_on_what_is_unusual(change):
    fast, plain = both(json.dumps({**GOOD, **change}).encode())

    assert fast == plain


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"\xff", b"null", b"[" * 5000])
def test_both_ways_agree_on_what_is_no_feedback(value):
    fast, plain = both(value)

    assert fast == plain


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
nested = st.recursive(values, lambda inner: st.lists(inner, max_size=2), max_leaves=3)


@given(st.dictionaries(st.sampled_from([*GOOD, "revises", "odd"]), nested, max_size=3))
def test_both_ways_agree_whatever_a_field_holds(change):
    fast, plain = both(json.dumps({**GOOD, **change}).encode())

    assert fast == plain


@given(st.dictionaries(st.text(max_size=3), values, max_size=5), values)
def test_both_ways_agree_on_rows_and_labels(features, label):
    fast, plain = both(json.dumps({**GOOD, "features": features, "label": label}).encode())

    assert fast == plain
