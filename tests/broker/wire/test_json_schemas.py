"""The JSON Schemas of messages agree with the contracts from which they are made."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from modstream.broker.wire.json_schemas import CONTRACTS, json_schema, main, schema_files
from tests.broker.wire.request_strategies import documents

REQUESTS = Draft202012Validator(json_schema("request"))
SCHEMAS = Path(__file__).parents[3] / "schemas"
TENSOR = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [0.5, 1.5]}
VALID = [
    {"id": "a", "features": {"x": 1.5, "carrier": "UA", "night": False, "gate": None}},
    {"id": "a", "features": [{"x": 1}], "inputs": None},
    {"id": "a", "inputs": [TENSOR], "model": "m", "version": 3, "new field": []},
]
INVALID = [
    {},
    {"id": "", "features": {}},
    {"id": "a"},
    {"id": "a", "features": None},
    {"id": "a", "features": {}, "inputs": [TENSOR]},
    {"id": "a", "features": []},
    {"id": "a", "inputs": []},
    {"id": "a", "features": {"x": [1]}},
    {"id": "a", "features": {}, "event_time": 1.5},
    {"id": "a", "features": {}, "schema_version": 2},
    {"id": "a", "inputs": [{**TENSOR, "datatype": "float"}]},
]


def is_valid(name, document):
    return Draft202012Validator(json_schema(name)).is_valid(document)


def is_accepted(name, document):
    try:
        CONTRACTS[name].model_validate_json(json.dumps(document))
    except ValidationError:
        return False
    return True


def test_schema_files_are_those_of_the_contracts():
    """`make schemas` writes them."""
    written = {file.name: json.loads(file.read_text()) for file in SCHEMAS.iterdir()}
    del written["asyncapi.json"], written["lineage-facets.json"]  # these have tests of their own

    assert written == {name: json.loads(text) for name, text in schema_files().items()}


def test_command_writes_the_files(tmp_path):
    main(str(tmp_path / "new"))

    assert {file.name: file.read_text() for file in (tmp_path / "new").iterdir()} == schema_files()


@pytest.mark.parametrize("name", CONTRACTS)
def test_schema_is_one(name):
    Draft202012Validator.check_schema(json_schema(name))


@pytest.mark.parametrize("document", VALID, ids=str)
def test_valid_requests_are_accepted_by_both(document):
    assert is_accepted("request", document)
    assert is_valid("request", document)


@pytest.mark.parametrize("document", INVALID, ids=str)
def test_invalid_requests_are_refused_by_both(document):
    assert not is_accepted("request", document)
    assert not is_valid("request", document)


@given(documents)
def test_what_the_schema_accepts_is_accepted(document):
    if REQUESTS.is_valid(document):
        assert is_accepted("request", document)


def test_tensor_of_raw_bytes_needs_no_data():
    """The bytes follow the JSON."""
    raw = {name: value for name, value in TENSOR.items() if name != "data"}

    assert not is_valid("request", {"id": "a", "inputs": [raw]})
    assert is_valid(
        "request", {"id": "a", "inputs": [raw | {"parameters": {"binary_data_size": 8}}]}
    )


def test_features_of_a_prediction_may_be_compact():
    prediction = {
        "id": "a", "model": "m", "version": 1, "outputs": {"value": 1.5},
        "source": {"topic": "t", "partition": 0, "offset": 0},
    }  # fmt: skip

    for features in ({"x": 1.5}, [{"x": 1.5}], {"names": ["x"], "rows": 1, "data": [1.5]}):
        assert is_accepted("prediction", prediction | {"features": features})
        assert is_valid("prediction", prediction | {"features": features})
    assert not is_valid("prediction", prediction | {"features": {"names": ["x"], "rows": -1}})
