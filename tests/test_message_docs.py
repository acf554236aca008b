"""docs/messages.md describes every message, and its examples are valid."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from modstream.broker.errors import DecodeError, InternalError
from modstream.broker.wire.contracts import UnjoinedReason
from modstream.broker.wire.json_schemas import CONTRACTS, json_schema
from modstream.broker.wire.model_contracts import MetricsKind
from modstream.broker.wire.topics import CONNECT_ERROR_PREFIX, PASS_THROUGH, Header, Topics
from modstream.models.errors import InputError
from modstream.processors.errors import Refusal

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "messages.md").read_text()
PERSONAL = {"personal_data_erased", "personal_in_tensors"}
"""Codes of requests that have an id, or of dead letters that have none."""
BLOCK = re.compile(r"\(\.\./schemas/([a-z-]+)\.json\)|```json\n(.*?)```", re.DOTALL)


def examples():
    """Yield the examples of the page with the schema that was named last before them."""
    schema = None
    for found in BLOCK.finditer(PAGE):
        schema = found[1] or schema
        for line in (found[2] or "").splitlines():
            yield schema, json.loads(line)


def codes(root):
    return {root.code for root in (root, *root.__subclasses__()) if isinstance(root.code, str)}


def section(title):
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize(("schema", "example"), list(examples()), ids=lambda value: str(value)[:60])
def test_example_is_valid_by_its_schema_and_its_contract(schema, example):
    Draft202012Validator(json_schema(schema)).validate(example)
    if "binary_data_size" not in json.dumps(example):
        CONTRACTS[schema].model_validate_json(json.dumps(example))


def test_every_message_has_an_example():
    assert {schema for schema, _ in examples()} == CONTRACTS.keys()


def test_every_code_of_an_error_is_described():
    described = set(re.findall(r"^\| `(\w+)` \|", section("Error"), re.MULTILINE))
    of_decoding = {"contract_violated", "not_json", "too_large", *PERSONAL}

    assert described == codes(Refusal) | codes(InputError) | of_decoding


def test_every_code_of_a_dead_letter_is_described():
    described = set(re.findall(r"^\| `(\w+)` \|", section("Dead letter"), re.MULTILINE))

    assert described == codes(DecodeError) | codes(InternalError) | {"answer_too_large"}


def test_every_reason_kind_header_and_topic_is_described():
    topics = Topics("flights")
    names = [spec.name for spec in topics.specs(1)]

    for word in (*UnjoinedReason, *MetricsKind.__args__):
        assert f"| `{word}` |" in PAGE
    for word in (*Header, *PASS_THROUGH, CONNECT_ERROR_PREFIX, *names):
        assert f"`{word}" in PAGE, word


def test_every_file_that_is_linked_exists():
    links = set(re.findall(r"\]\(([^)#h][^)#]*)", PAGE))

    assert len(links) > 10
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
