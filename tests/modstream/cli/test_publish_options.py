"""The options that describe a River model's features and classes."""

import pytest
import typer

from modstream.cli.publish import parse_class_label, parse_feature
from modstream.models.schema.input_schema import Feature


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hue:float", Feature(name="hue", kind="float")),
        ("horizon:int:1:12", Feature(name="horizon", kind="int", low=1, high=12)),
    ],
)
def test_a_feature_is_parsed_with_its_kind_and_bounds(text, expected):
    assert parse_feature(text) == expected


@pytest.mark.parametrize("text", ["hue", "hue:colour", ":float", "horizon:int:few:many"])
def test_an_invalid_feature_is_rejected(text):
    with pytest.raises(typer.BadParameter, match=f"'{text}' is not NAME:KIND"):
        parse_feature(text)


@pytest.mark.parametrize(
    ("text", "label"), [("1", 1), ("true", True), ("0.5", 0.5), ("red", "red"), ("[1]", "[1]")]
)
def test_a_class_label_is_a_json_scalar_or_the_text_itself(text, label):
    assert parse_class_label(text) == label
    assert type(parse_class_label(text)) is type(label)
