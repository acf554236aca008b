"""What a model's outputs mean, in words."""

from typing import get_args

import pytest

from modstream.cli.output_names import describe_outputs
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ScoreKind, Target, Task, TensorSpec
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec

TENSOR = TensorSpec(name="image", datatype="FP32", shape=(None, 3, 8, 8))


def card_of(task, **fields):
    is_tensors = task == "tensors"
    schema = InputSchema(features=()) if is_tensors else InputSchema.of_floats(["x"])
    tensors = {"input_tensors": (TENSOR,), "output_tensors": (TENSOR,)} if is_tensors else {}
    spec = VersionSpec(
        name="m", runtime="onnx", task=task, input_schema=schema, **tensors, **fields
    )
    return spec.make_card(1, Artifact(b""))


@pytest.mark.parametrize("task", get_args(Task))
@pytest.mark.parametrize("scores", get_args(ScoreKind))
def test_every_task_is_described(task, scores):
    classes = (1, 2) if task == "binary" else (1, 2, 3) if task == "multiclass" else ()
    assert describe_outputs(card_of(task, scores=scores, classes=classes))


@pytest.mark.parametrize(
    ("task", "fields", "expected"),
    [
        (
            "binary",
            {"classes": ("no", "yes")},
            ["probability", "that the class is yes, and not no"],
        ),
        ("binary", {"classes": (1, 2), "scores": "margin"}, ["label", "above 0 means 2"]),
        ("binary", {"classes": (1, 2), "scores": "none"}, ["label", "one of 1, 2"]),
        (
            "multiclass",
            {"classes": tuple(range(100)), "scores": "margin"},
            ["0, 1, 2, 3, 4, 5 and 94 more", "not probabilities"],
        ),
        ("clustering", {"scores": "distance"}, ["distances", "the nearest decides"]),
        (
            "multioutput_regression",
            {"targets": (Target(name="height"), Target(name="width"))},
            ["values", "a number for each of height, width"],
        ),
        ("tensors", {}, ["image", "FP32 [any, 3, 8, 8]"]),
        ("binary", {"classes": ("x" * 500, "y")}, ["x" * 40 + "…"]),
    ],
)
def test_the_meaning_is_in_words(task, fields, expected):
    text = str(describe_outputs(card_of(task, **fields)))

    assert all(part in text for part in expected)
