"""Every kind of bad record is bad in the way its table says."""

import random

import pytest

from modstream.broker.errors import ContractViolated, DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Request
from modstream.models.errors import InputError
from modstream.models.schema.input_schema import InputSchema, Tensor
from modstream.producers.errors import NoNumericFeature
from modstream.producers.records.bad_records import BAD, UNKNOWN
from modstream.producers.records.random_rows import random_row, request_of, specs

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
    return request_of("r-1", [random_row(specs(FEATURES), rng)], "row", None)


def judged(value: bytes) -> tuple[str, str] | None:
    """What the contract, the registry and a model's schema say of a record: way out and code."""
    try:
        request = decode(Request, value, LIMIT)
    except DecodeError as error:
        told = isinstance(error, ContractViolated) and error.request_id == "r-1"
        return ("error" if told else "dead_letter", error.code)
    if request.model == UNKNOWN:
        return ("error", "unknown_model")
    schema = InputSchema.model_validate({"features": FEATURES})
    try:
        if request.inputs is None:
            (error,) = schema.batch([request.features]).errors.values() or (None,)
            return error and ("error", error.code)
        schema.tensors([Tensor(t.name, t.shape, t.datatype, t.data) for t in request.inputs])
    except InputError as error:
        return ("error", error.code)
    return None


@pytest.mark.parametrize("name", BAD)
def test_a_bad_record_takes_the_way_out_that_its_table_says(name, rng, good):
    kind = BAD[name]

    value = kind.make(rng, good)

    assert judged(value) == (kind.way_out, kind.code)


@pytest.mark.parametrize("form", ["row", "tensor"])
def test_a_good_record_is_good(form, rng):
    rows = [random_row(specs(FEATURES), rng)]

    assert judged(encoded(request_of("r-1", rows, form, None))) is None


def test_the_same_seed_makes_the_same_bad_records(good):
    values = [
        {name: kind.make(random.Random(7), good) for name, kind in BAD.items()} for _ in range(2)
    ]

    assert values[0] == values[1]


def test_a_row_without_numbers_cannot_have_one_spoiled():
    words_only = Request(id="r-2", features={"town": "Bergen", "member": True})

    with pytest.raises(NoNumericFeature, match="r-2"):
        BAD["nan"].make(random.Random(1), words_only)


def encoded(request: Request) -> bytes:
    return request.model_dump_json(exclude_none=True).encode()
