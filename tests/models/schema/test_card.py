from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import InputSchema

FACTS = {
    "name": "flights",
    "version": 1,
    "runtime": "onnx",
    "task": "binary",
    "input_schema": InputSchema.floats(["x"]),
    "sha256": "0" * 64,
    "size": 3,
    "created": datetime(2013, 1, 1, tzinfo=UTC),
}


@pytest.mark.parametrize(
    "classes", [(False, True), (0, 1), (0.5, 1.0), ("no", "yes"), ("1", 1, True), ()]
)
def test_a_card_survives_json_with_the_very_types_of_its_classes(classes):
    card = ModelCard(**FACTS, classes=classes, metrics={"auc": 0.7}, offsets={"t:0": 5})

    again = ModelCard.model_validate_json(card.model_dump_json())

    assert again == card
    assert [type(label) for label in again.classes] == [type(label) for label in classes]
    assert again.canonical() == card.canonical()


def test_the_canonical_form_leaves_out_the_signature_and_orders_its_keys():
    card = ModelCard(**FACTS, libraries={"b": "2", "a": "1"})

    signed = card.model_copy(update={"signature": "abc"})

    assert signed.canonical() == card.canonical()
    assert b'"libraries":{"a":"1","b":"2"}' in card.canonical()
    assert b"signature" not in card.canonical()


@pytest.mark.parametrize(
    "change",
    [
        {"name": "no/slashes"},
        {"name": ""},
        {"name": "line\n"},
        {"name": "x" * 101},
        {"version": 0},
        {"sha256": "0" * 63},
        {"sha256": "Z" * 64},
        {"size": -1},
        {"task": "clustering"},
        {"metrics": {"auc": float("nan")}},
        {"created": datetime(2013, 1, 1)},  # noqa: DTZ001  a time without a zone is the point
    ],
)
def test_a_card_with_an_impossible_fact_is_refused(change):
    with pytest.raises(ValidationError):
        ModelCard(**FACTS | change)
