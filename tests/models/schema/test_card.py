import json
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import InputSchema

FIELDS = {
    "name": "flights",
    "version": 1,
    "runtime": "onnx",
    "task": "binary",
    "input_schema": InputSchema.of_floats(["x"]),
    "sha256": "0" * 64,
    "size": 3,
    "created": datetime(2013, 1, 1, tzinfo=UTC),
}


@pytest.mark.parametrize(
    "classes", [(False, True), (0, 1), (0.5, 1.0), ("no", "yes"), ("1", 1, True), ()]
)
def test_a_card_survives_json_with_the_types_of_its_classes(classes):
    card = ModelCard(**FIELDS, classes=classes, metrics={"auc": 0.7}, offsets={"t:0": 5})

    again = ModelCard.model_validate_json(card.model_dump_json())

    assert again == card
    assert [type(label) for label in again.classes] == [type(label) for label in classes]
    assert again.canonical_bytes() == card.canonical_bytes()


def test_the_canonical_bytes_have_sorted_keys_and_no_signature():
    card = ModelCard(**FIELDS, libraries={"b": "2", "a": "1"})

    signed = card.model_copy(update={"signature": "abc"})

    assert signed.canonical_bytes() == card.canonical_bytes()
    assert b'"libraries":{"a":"1","b":"2"}' in card.canonical_bytes()
    assert b"signature" not in card.canonical_bytes()


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
        {"task": "guessing"},
        {"input_schema": InputSchema(features=())},
        {"task": "tensors"},
        {"metrics": {"auc": float("nan")}},
        {"created": datetime(2013, 1, 1)},  # noqa: DTZ001  the missing time zone is intended
    ],
)
def test_a_card_with_an_invalid_field_is_rejected(change):
    with pytest.raises(ValidationError):
        ModelCard(**FIELDS | change)


def test_a_card_of_an_earlier_release_keeps_the_bytes_that_were_signed():
    card = ModelCard(**FIELDS)

    later = {"scores", "targets", "input_tensors", "output_tensors", "fidelity", "sample_rows"}
    assert not later & json.loads(card.canonical_bytes()).keys()
    assert json.loads(card.canonical_bytes())["input_schema"]["features"] == [
        {"name": "x", "kind": "float", "low": None, "high": None}
    ]


@pytest.mark.parametrize(
    ("task", "scores", "form"),
    [
        ("binary", "probability", "array"),
        ("multiclass", "margin", "named"),
        ("binary", "none", "named"),
        ("regression", "probability", "array"),
        ("clustering", "distance", "named"),
        ("multioutput_regression", "probability", "named"),
    ],
)
def test_task_and_scores_decide_what_the_runtime_returns(task, scores, form):
    card = ModelCard(**FIELDS | {"task": task, "scores": scores})

    assert card.output_form == form
    assert b'"scores"' in card.canonical_bytes() or scores == "probability"
