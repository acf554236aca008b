"""Values from text: of the kinds of the model's card, or else as JSON."""

import pytest

from modstream.cli.row_values import RowParser
from modstream.errors import InvalidValue
from modstream.models.schema.card import ModelCard, TensorSpec
from modstream.models.schema.input_schema import Feature, InputSchema

FEATURES = (
    Feature(name="delay", kind="float"),
    Feature(name="seats", kind="int"),
    Feature(name="night", kind="bool"),
    Feature(name="carrier", kind="string"),
    Feature(name="wind", kind="float", missing=True),
)


def card(features=FEATURES, **fields):
    return ModelCard(
        **{"name": "flights", "runtime": "onnx", "task": "regression", "version": 3} | fields,
        input_schema=InputSchema(features=features),
        sha256="0" * 64,
        size=1,
        created="2026-01-01T00:00:00Z",
    )


def test_texts_become_values_of_the_features_kinds():
    texts = {"delay": "5", "seats": "3.0", "night": "Yes", "carrier": "007", "wind": ""}

    row = RowParser(card()).parse(texts)

    assert row == {"delay": 5.0, "seats": 3, "night": True, "carrier": "007", "wind": None}
    assert [type(value) for value in row.values()] == [float, int, bool, str, type(None)]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("delay", "late", "delay must be a number, not 'late'"),
        ("delay", "5,1", "delay must be a number, not '5,1'"),
        ("seats", "2.5", "seats must be a whole number, not '2.5'"),
        ("seats", "inf", "seats must be a whole number, not 'inf'"),
        ("night", "dark", "night must be true or false, not 'dark'"),
    ],
)
def test_a_text_of_another_kind_is_refused_with_its_name(name, text, message):
    with pytest.raises(InvalidValue, match=message):
        RowParser(card()).parse({name: text})


def test_without_a_card_values_are_json_and_else_texts():
    texts = {"a": "5", "b": "5.0", "c": "true", "d": "null", "e": "UA", "f": '"7"'}

    assert RowParser(None).parse(texts) == {
        "a": 5, "b": 5.0, "c": True, "d": None, "e": "UA", "f": "7"
    }  # fmt: skip


def test_names_that_the_model_does_not_take_are_known_only_with_its_card():
    assert RowParser(card()).unknown(["delay", "gate"]) == ["gate"]
    assert RowParser(None).unknown(["delay", "gate"]) == []


def test_the_request_for_a_row_names_model_and_version():
    request = RowParser(None).request("r-1", {"x": 1}, "flights", 3)

    assert (request.id, request.features, request.model, request.version) == (
        "r-1", {"x": 1}, "flights", 3
    )  # fmt: skip


def test_a_row_with_a_value_that_no_request_can_have_is_refused():
    with pytest.raises(InvalidValue, match="features"):
        RowParser(None).request("r-1", {"x": {"nested": 1}}, None, 1)


def test_a_model_that_takes_tensors_gets_them_with_their_shapes():
    image = TensorSpec(name="image", datatype="FP32", shape=(None, 2))
    parser = RowParser(card((), task="tensors", input_tensors=(image,)))

    request = parser.request("r-1", parser.parse({"image": "[[1, 2], [3, 4]]"}), None, 1)

    (tensor,) = request.inputs
    assert (tensor.name, tensor.datatype, tensor.shape) == ("image", "FP32", (2, 2))
    assert tensor.data == [[1, 2], [3, 4]]
    with pytest.raises(InvalidValue, match="its inputs are image"):
        parser.request("r-1", {"picture": [1]}, None, 1)
