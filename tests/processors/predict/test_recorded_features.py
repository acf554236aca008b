"""The features that predictions record, so that each row of a request can be learned."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Prediction, Tensor
from modstream.broker.wire.features import compact_json, expand_rows
from modstream.processors.predict import responses
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.settings import InferenceSettings
from tests.processors.predict.handlers import TOPICS, ask
from tests.processors.small_fixtures import StubModelProvider, iris_model, make_record

ROWS = ({"a": 0.0, "b": 1.0}, {"a": 2.0, "b": -0.5}, {"a": 1.0, "b": 0.0})
NUMBERS = [value for row in ROWS for value in row.values()]


def answer(request, **settings):
    """Return the prediction for a request, as JSON and decoded."""
    provider = StubModelProvider({"iris": iris_model()})
    handle = request_handler(TOPICS, provider, InferenceSettings(("iris",), **settings))
    (record,) = handle([make_record(request)]).records
    return json.loads(record.value), decode(Prediction, record.value)


def tensor(rows, data):
    return Tensor(name="x", shape=(rows, 2), datatype="FP64", data=data)


def test_rows_by_name_are_recorded_by_name():
    written, found = answer(ask(features=ROWS))

    assert written["features"] == list(ROWS)
    assert found.features == ROWS


def test_rows_of_a_tensor_are_recorded_as_numbers_and_names():
    written, found = answer(ask(inputs=[tensor(3, NUMBERS)]))

    assert written["features"] == {"names": ["a", "b"], "rows": 3, "data": NUMBERS}
    assert found.features == ROWS


@pytest.mark.parametrize("request_", [ask(features=ROWS[:1]), ask(inputs=[tensor(1, NUMBERS[:2])])])
def test_only_row_is_recorded_as_a_row(request_):
    assert answer(request_)[1].features == ROWS[0]


@pytest.mark.parametrize("request_", [ask(features=ROWS), ask(inputs=[tensor(3, NUMBERS)])])
def test_request_of_too_many_rows_says_that_they_are_not_recorded(request_):
    _, found = answer(request_, max_recorded_rows=2)

    assert found.features is None
    assert found.features_omitted == "3 rows; the features of at most 2 are recorded"
    assert len(found.outputs) >= 1


def test_features_that_are_too_large_are_not_recorded(monkeypatch):
    monkeypatch.setattr(responses, "MAX_FEATURES_BYTES", 50)

    _, found = answer(ask(features=ROWS))

    assert found.features is None
    assert "at most 50 are recorded" in found.features_omitted


def test_settings_can_forbid_to_record_features():
    _, found = answer(ask(features=ROWS), record_features=False)

    assert (found.features, found.features_omitted) == (None, None)


VALUES = st.floats() | st.integers() | st.booleans() | st.text() | st.none()


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=4))
def test_compact_rows_equal_the_rows_or_are_not_written(values):
    rows = [{"a": a, "names": b} for a, b in values]

    encoded = compact_json(rows)

    if encoded is not None:
        assert expand_rows(json.loads(encoded)) == rows
    else:
        assert not all(type(v) is float and abs(v) < float("inf") for row in values for v in row)


@pytest.mark.parametrize(
    "compact",
    [
        {"names": ["a"], "rows": 2, "data": [1.0]},
        {"names": ["a"], "rows": 2, "fp32": "AACAPw=="},
        {"names": ["a"], "rows": -1, "data": []},
        {"names": ["a"], "rows": 10**18, "data": []},
    ],
)
def test_damaged_compact_rows_are_refused(compact):
    with pytest.raises(ValueError, match=r"numbers|rows"):
        expand_rows(compact)
