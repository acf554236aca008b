"""What a River model does not know of itself is said in options."""

import pytest
import typer

from modstream.cli.publish import class_label, feature
from modstream.models.schema.input_schema import Feature


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hue:float", Feature(name="hue", kind="float")),
        ("horizon:int:1:12", Feature(name="horizon", kind="int", low=1, high=12)),
    ],
)
def test_a_feature_is_named_with_its_kind_and_bounds(text, expected):
    assert feature(text) == expected


@pytest.mark.parametrize("text", ["hue", "hue:colour", ":float", "horizon:int:few:many"])
def test_what_is_no_feature_is_refused(text):
    with pytest.raises(typer.BadParameter, match=f"'{text}' is not NAME:KIND"):
        feature(text)


@pytest.mark.parametrize(
    ("text", "label"), [("1", 1), ("true", True), ("0.5", 0.5), ("red", "red"), ("[1]", "[1]")]
)
def test_a_class_is_json_or_a_word(text, label):
    assert class_label(text) == label
    assert type(class_label(text)) is type(label)
