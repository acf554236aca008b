"""Labels from text: as the classes or numbers of the model, or else as JSON."""

from time import time

import pytest

from modstream.cli.label_values import LabelParser, column_parser, make_label
from modstream.errors import InvalidValue
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import InputSchema


def parser(task="multiclass", classes=()):
    card = ModelCard(
        name="flights",
        runtime="onnx",
        task=task,
        version=3,
        classes=classes,
        input_schema=InputSchema.of_floats(["x"]),
        sha256="0" * 64,
        size=1,
        created="2026-01-01T00:00:00Z",
    )
    return LabelParser(card)


@pytest.mark.parametrize(
    ("task", "classes", "text", "label"),
    [
        ("multiclass", (0, 1, 2), "2", 2),
        ("multiclass", ("0", "1", "2"), "2", "2"),
        ("multiclass", ("setosa", "virginica"), "setosa", "setosa"),
        ("binary", (False, True), "True", True),
        ("binary", (-1, 1), "-1", -1),
        ("regression", (), "3.5", 3.5),
    ],
)
def test_a_text_becomes_the_label_that_the_model_can_learn(task, classes, text, label):
    found = parser(task, classes).parse(text)

    assert (found, type(found)) == (label, type(label))
    assert parser(task, classes).problem(found) is None


def test_a_label_outside_the_classes_is_kept_and_named():
    labels = parser(classes=("a", "b"))

    assert labels.parse("c") == "c"
    assert "flights version 3 cannot learn this label: 'c' is not one of" in labels.problem("c")


@pytest.mark.parametrize(("text", "label"), [("1", 1), ("true", True), ("late", "late")])
def test_without_a_card_a_label_is_json_or_a_text(text, label):
    assert LabelParser(None).parse(text) == label
    assert LabelParser(None).problem(label) is None


def test_an_empty_label_is_refused():
    with pytest.raises(InvalidValue, match="empty"):
        LabelParser(None).parse("")


def test_the_columns_of_a_file_become_a_label_and_a_key():
    texts = {
        "id": "r-1", "label": "1", "row": "2", "revision": "", "key": "UA",
        "event_time": "2026-01-01", "note": "dropped",
    }  # fmt: skip

    row = column_parser(LabelParser(None))(texts)
    label = make_label(row)

    assert row["key"] == "UA"
    assert (label.id, label.label, label.row, label.revision) == ("r-1", 1, 2, 0)
    assert label.event_time == 1_767_225_600_000


def test_a_label_without_an_event_time_is_known_now():
    label = make_label({"id": "r-1", "label": True})

    assert abs(label.event_time - time() * 1000) < 60_000


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"id": "r-1"}, "lacks the column label"),
        ({"id": "r-1", "label": "1", "row": "first"}, "row must be a whole number, not 'first'"),
        ({"id": "r-1", "label": "1", "event_time": "soon"}, "'soon' is not a time"),
    ],
)
def test_a_column_of_another_form_is_refused(texts, message):
    with pytest.raises(InvalidValue, match=message):
        column_parser(LabelParser(None))(texts)


def test_a_label_without_an_id_is_refused():
    with pytest.raises(InvalidValue, match="id"):
        make_label({"label": 1})
