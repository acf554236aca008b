"""Every kind of bad record has the expected exit and code of its table."""

import random

import pytest

from modstream.broker.errors import ContractViolated, DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Request
from modstream.models.errors import InputError
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.tensors import InputTensor
from modstream.producers.errors import NoNumericFeature
from modstream.producers.records.bad_records import BAD_RECORDS, UNKNOWN_MODEL
from modstream.producers.records.random_rows import make_request, parse_feature_specs, random_row

LIMIT = 1_000_000
FEATURES = (
    {"name": "age", "kind": "float", "low": 0, "high": 99},
    {"name": "town", "kind": "string"},
    {"name": "visits", "kind": "int"},
    {"name": "member", "kind": "bool"},
)


@pytest.fixture(params=range(5))
def rng(request):
    return random.Random(request.param)


@pytest.fixture
def good(rng):
    return make_request("r-1", [random_row(parse_feature_specs(FEATURES), rng)], "row", None)


def exit_of(value: bytes) -> tuple[str, str] | None:
    """Check a record by contract, registry and schema; return its exit and code, None if good."""
    try:
        request = decode(Request, value, LIMIT)
    except DecodeError as error:
        is_identified = isinstance(error, ContractViolated) and error.request_id == "r-1"
        return ("error" if is_identified else "dead_letter", error.code)
    if request.model == UNKNOWN_MODEL:
        return ("error", "unknown_model")
    schema = InputSchema.model_validate({"features": FEATURES})
    try:
        if request.inputs is None:
            (error,) = schema.parse_rows([request.features]).errors.values() or (None,)
            return error and ("error", error.code)
        schema.parse_tensors(
            [InputTensor(t.name, t.shape, t.datatype, t.data) for t in request.inputs]
        )
    except InputError as error:
        return ("error", error.code)
    return None


@pytest.mark.parametrize("name", BAD_RECORDS)
def test_a_bad_record_leaves_by_its_expected_exit(name, rng, good):
    kind = BAD_RECORDS[name]

    value = kind.make(rng, good)

    assert exit_of(value) == (kind.expected_exit, kind.code)


@pytest.mark.parametrize("request_format", ["row", "tensor"])
def test_a_good_record_passes_every_check(request_format, rng):
    rows = [random_row(parse_feature_specs(FEATURES), rng)]

    assert exit_of(encoded(make_request("r-1", rows, request_format, None))) is None


def test_the_same_seed_makes_the_same_bad_records(good):
    values = [
        {name: kind.make(random.Random(7), good) for name, kind in BAD_RECORDS.items()}
        for _ in range(2)
    ]

    assert values[0] == values[1]


def test_a_row_without_numeric_features_raises_no_numeric_feature():
    strings_only = Request(id="r-2", features={"town": "Bergen", "member": True})

    with pytest.raises(NoNumericFeature, match="r-2"):
        BAD_RECORDS["nan"].make(random.Random(1), strings_only)


def encoded(request: Request) -> bytes:
    return request.model_dump_json(exclude_none=True).encode()
