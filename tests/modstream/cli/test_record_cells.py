"""The columns of `modstream consume` for the records of each topic."""

import json

import pytest

from modstream.broker.wire.codec import KIND_ERROR
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import CONNECT_ERROR_PREFIX, Header, Topics
from modstream.cli.record_cells import COLUMNS, format_age, record_cells

SOURCE = {"topic": "flights.requests", "partition": 1, "offset": 5}
PREDICTION = {"model": "flights", "version": 3, "outputs": {"label": "late"}}
NOW = 1_000.0

RECORDS = [
    (
        "requests",
        {"id": "r-1", "features": {"x": 1.5, "y": "UA"}},
        {"id": "r-1", "model": "route", "features": "x 1.5; y UA"},
    ),
    (
        "predictions",
        {"id": "r-1", "source": SOURCE} | PREDICTION,
        {"id": "r-1", "model": "flights", "version": "3", "output": "late"},
    ),
    (
        "labels",
        {"id": "r-1", "row": 2, "label": True, "revision": 1, "event_time": 7},
        {"id": "r-1", "row": "2", "revision": "1", "label": "true"},
    ),
    (
        "feedback",
        {"id": "r-1", "label": 1, "predictions": [PREDICTION], "event_time": 1, "label_time": 2},
        {"id": "r-1", "label": "1", "predictions": "flights/3 late"},
    ),
    (
        "unjoined",
        {"id": "r-1", "reason": "row_unknown", "detail": "there is no row 7", "label": 1},
        {"id": "r-1", "label": "1", "reason": "row_unknown: there is no row 7"},
    ),
    (
        "quarantine",
        {"id": "r-1", "model": "flights", "rule": "outlier", "detail": "x is 9", "source": SOURCE},
        {"id": "r-1", "model": "flights", "rule": "outlier", "detail": "x is 9"},
    ),
    (
        "metrics",
        {"kind": "prequential", "model": "flights", "version": 3, "values": {"auc": 0.75}},
        {"kind": "prequential", "model": "flights", "version": "3", "values": "auc: 0.75"},
    ),
    (
        "version_markers",
        {"model": "flights", "ref": "champion", "version": 3, "sha256": "0", "source": SOURCE},
        {"model": "flights", "version": "3", "ref": "champion", "from": "1:5"},
    ),
    (
        "model_events",
        {"model": "flights", "version": 3, "action": "promote", "alias": "champion", "at": 1},
        {"model": "flights", "version": "3", "action": "promote", "alias": "champion"},
    ),
]


def cells(topic, document, headers=()):
    value = document if isinstance(document, bytes) else json.dumps(document).encode()
    record = Record(topic, 2, 17, b"k\x07", value, headers, timestamp=997_000)
    return record_cells(COLUMNS[topic], record, NOW)


@pytest.mark.parametrize(("topic", "document", "expected"), RECORDS, ids=[r[0] for r in RECORDS])
def test_a_record_has_what_a_person_wants_to_see(topic, document, expected):
    assert cells(topic, document) == expected | {"age": "3.0 s", "at": "2:17"}
    assert expected.keys() <= set(COLUMNS[topic].columns)


def test_an_error_response_says_why_the_request_was_refused():
    document = {"id": "r-1", "code": "wrong_type", "message": "x is text", "source": SOURCE}

    found = cells("predictions", document, ((Header.KIND, KIND_ERROR),))

    assert found["output"] == "refused: x is text (wrong_type)"
    assert "version" not in found


def test_a_dead_letter_has_its_cause():
    headers = (
        (f"{CONNECT_ERROR_PREFIX}class.name", b"not_json"),
        (f"{CONNECT_ERROR_PREFIX}exception.message", b"the value is\nempty"),
    )

    found = cells("dlq", b"", headers)

    assert (found["key"], found["cause"]) == ("k\\x07", "not_json")
    assert found["message"] == "the value is\\nempty"


@pytest.mark.parametrize("topic", sorted(COLUMNS.keys() - {"dlq"}))
def test_a_record_that_violates_its_contract_has_its_key_and_the_reason(topic):
    found = cells(topic, b"{")

    assert found[COLUMNS[topic].priority[0]] == "k\\x07"
    assert found[COLUMNS[topic].columns[-1]].startswith("unreadable: ")


def test_every_topic_of_a_stream_has_columns_and_each_column_an_importance():
    assert {getattr(Topics("s"), name) for name in COLUMNS} == {
        spec.name for spec in Topics("s").specs(1, log_days=1)
    }
    for columns in COLUMNS.values():
        assert sorted(columns.columns) == sorted(columns.priority)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (12.4, "12 s"), (90, "2 min"), (7200, "2 h"), (2e5, "2 d"), (-3, "-3.0 s")],
)
def test_an_age_has_its_largest_unit(seconds, text):
    assert format_age(seconds) == text
