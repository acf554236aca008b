"""Both codecs decode feedback alike."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.broker.wire.feedback_codec import FeedbackDecoder, FeedbackStruct

DECODER = FeedbackDecoder()
GOOD = {
    "id": "a", "label": True, "features": {"x": 1, "y": 0.5, "z": "w", "n": None, "b": False},
    "predictions": [{"model": "m", "version": 3, "outputs": {"probability": 0.25}}],
    "event_time": 1, "label_time": 2,
}  # fmt: skip


def decode_by_both(value):
    """Return the result of each codec: the fields, or the error."""
    found = []
    for read in (lambda: DECODER.decode(value), lambda: decode(Feedback, value)):
        try:
            found.append(typed_fields(read()))
        except DecodeError as error:
            found.append((error.code, str(error)))
    return found


def typed_fields(feedback):
    """Return the fields as text, in which 1, 1.0 and True differ."""
    is_struct = isinstance(feedback, FeedbackStruct)
    fields = structs.asdict(feedback) if is_struct else dict(feedback)
    fields["predictions"] = [(one.model, one.version, one.outputs) for one in feedback.predictions]
    return {name: repr(value) for name, value in fields.items()}


def test_usual_feedback_is_decoded_by_the_fast_codec():
    assert isinstance(DECODER.decode(json.dumps(GOOD).encode()), FeedbackStruct)
    message = Feedback(**{**GOOD, "predictions": (JoinedPrediction(**GOOD["predictions"][0]),)})
    assert isinstance(DECODER.decode(encode(message)), FeedbackStruct)


@pytest.mark.parametrize(
    "change",
    [
        {"features": {"x": float("nan")}}, {"features": {"x": [1]}}, {"label": None}, {"id": ""},
        {"label": {}}, {"event_time": "1"}, {"event_time": 1.0}, {"event_time": 1.5},
        {"schema_version": 2}, {"revises": False}, {"revises": 0}, {"features": None},
        {"predictions": []}, {"predictions": None}, {"more": 1}, {"label": 2**70},
        {"features": {"x": 10**400}}, {"event_time": True}, {"predictions": [{"model": "a b"}]},
        {"predictions": [{"model": "m\n", "version": 1, "outputs": {}}]},
        {"predictions": [{"model": "my.model", "version": 1, "outputs": {}}]},
    ],
)  # fmt: skip
def test_both_codecs_agree_on_unusual_values(change):
    fast, slow = decode_by_both(json.dumps({**GOOD, **change}).encode())

    assert fast == slow


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"\xff", b"null", b"[" * 5000])
def test_both_codecs_agree_on_invalid_feedback(value):
    fast, slow = decode_by_both(value)

    assert fast == slow


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
nested = st.recursive(values, lambda inner: st.lists(inner, max_size=2), max_leaves=3)


@given(st.dictionaries(st.sampled_from([*GOOD, "revises", "odd"]), nested, max_size=3))
def test_both_codecs_agree_on_any_field(change):
    fast, slow = decode_by_both(json.dumps({**GOOD, **change}).encode())

    assert fast == slow


@given(st.dictionaries(st.text(max_size=3), values, max_size=5), values)
def test_both_codecs_agree_on_rows_and_labels(features, label):
    fast, slow = decode_by_both(json.dumps({**GOOD, "features": features, "label": label}).encode())

    assert fast == slow
