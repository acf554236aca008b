"""The document of a stored prediction, and its age."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.models.prediction_store.stored_prediction import (
    StoredPrediction,
    from_document,
    to_document,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(
    key=TEXT,
    version=st.integers(0, 10**18 - 1),
    outputs=st.dictionaries(TEXT, JSON, max_size=3),
    features=st.none() | st.dictionaries(TEXT, JSON, max_size=3),
    event_time=st.none() | st.integers(-(2**40), 2**40),
)
def test_a_document_returns_the_prediction_that_was_written(
    key, version, outputs, features, event_time
):
    stored = StoredPrediction(
        "m",
        key,
        version,
        json.dumps(outputs).encode(),
        f"id of {key}",
        1_700_000_000_000,
        "flights.predictions:3:17",
        event_time,
        None if features is None else json.dumps(features).encode(),
    )

    found = from_document("m", key, to_document(stored))

    # Texts, as NaN is not equal to itself.
    assert json.dumps(found.outputs) == json.dumps(outputs)
    assert json.dumps(found.features) == json.dumps(features)
    fields = ("model", "key", "version", "id", "created", "position", "event_time")
    assert [getattr(found, name) for name in fields] == [getattr(stored, name) for name in fields]


@pytest.mark.parametrize(("now", "age"), [(1_700_000_012.5, 12.5), (1_600_000_000.0, 0.0)])
def test_the_age_counts_from_the_record_and_is_never_negative(now, age):
    stored = StoredPrediction("m", "k", 1, b"{}", "id", 1_700_000_000_000, "t:0:0")

    assert stored.age_seconds(now) == age
