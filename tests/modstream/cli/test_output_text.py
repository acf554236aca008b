"""Outputs as text: in one line for many rows, by name for a single one."""

import pytest

from modstream.broker.wire.contracts import Tensor
from modstream.cli.output_text import format_value, headline, output_fields


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1234567, "0.1235"),
        (0.9199994, "0.92"),
        (12.34567891, "12.3457"),
        (1234567.8, "1234568"),
        (1e20, "1e+20"),
        (5.0, "5"),
        (12, "12"),
        (True, "true"),
        (None, "–"),
        ("a\x1b[2J", "a\\x1b[2J"),
        ([1.5, 2.0], "1.5, 2"),
        ({"a": 0.5, "b": 0.25}, "a: 0.5, b: 0.25"),
    ],
)
def test_values_are_readable(value, text):
    assert format_value(value) == text


def test_of_many_classes_the_likeliest_are_shown_and_the_others_counted():
    probabilities = {f"c{number}": number / 100 for number in range(12)}

    assert format_value(probabilities).startswith("c11: 0.11, c10: 0.1, ")
    assert format_value(probabilities).endswith("c4: 0.04 and 4 more")


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        ({"label": 1, "probabilities": {"0": 0.1, "1": 0.9}}, "1 (0.9)"),
        ({"label": "late", "margins": {"late": 1.5, "on time": -2.0}}, "late (1.5)"),
        ({"label": True}, "true"),
        ({"label": True, "margin": 0.5}, "label true; margin 0.5"),
        ({"probability": 0.25}, "probability 0.25"),
        ({"forecast": [1.0, 2.0], "period": 7}, "forecast 1, 2; period 7"),
        (
            (Tensor(name="y", shape=(1, 2), datatype="FP32", data=[[1.0, 2.5]]),),
            "y FP32 [1, 2]: 1, 2.5",
        ),
        (({"value": 1.0}, {"value": 2.0}), "row 0 value 1; row 1 value 2"),
    ],
)
def test_outputs_of_every_form_have_a_short_line(outputs, text):
    assert headline(outputs) == text


def test_each_output_has_a_name_and_a_text():
    outputs = {"label": "b", "probabilities": {"a": 0.25, "b": 0.75}}

    assert list(output_fields(outputs)) == [
        ("label", "b"),
        ("probabilities", "a: 0.25, b: 0.75"),
    ]
