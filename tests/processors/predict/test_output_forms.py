"""Models whose outputs are named per row, or tensors, answered by the engine."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Request, Tensor
from modstream.models.errors import PredictError
from modstream.models.schema.card import ModelCard, TensorSpec
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.serving.loaded_models import LoadedModel
from modstream.processors.predict.engine import Inference, InferenceEngine, Rejection
from modstream.processors.predict.request_formats import format_for
from modstream.processors.predict.settings import InferenceSettings

FIELDS = {
    "name": "m",
    "version": 1,
    "runtime": "any",
    "sha256": "0" * 64,
    "size": 1,
    "created": datetime(2013, 1, 1, tzinfo=UTC),
}
SCHEMA = InputSchema(
    features=(Feature(name="x", kind="float"), Feature(name="y", kind="float", missing=True))
)
MARGINS = ModelCard(
    **FIELDS, task="multiclass", classes=("a", "b"), scores="margin", input_schema=SCHEMA
)
IMAGE = TensorSpec(name="image", datatype="FP32", shape=(1, 2, 2))
PICTURES = ModelCard(
    **FIELDS,
    task="tensors",
    input_schema=InputSchema(features=()),
    input_tensors=(IMAGE,),
    output_tensors=(TensorSpec(name="sum", datatype="FP32", shape=(1,)),),
)


class Margins:
    """A named runtime: the margin of class `a` is x, and a negative x breaks it."""

    name = "margins"

    def predict_rows(self, batch):
        found = batch.rows()
        if any(row["x"] == -1 for row in found):
            raise PredictError(self.name, "x is negative")
        return [
            {"label": "a" if row["x"] > 0 else "b", "margins": {"a": row["x"] / 2, "b": row["y"]}}
            for row in found
        ]

    def snapshot(self):
        return b""


class Sum:
    """A tensor runtime: the sum of an image, NaN for a black one."""

    name = "sum"

    def predict_tensors(self, inputs):
        total = inputs["image"].sum(axis=(1, 2))
        return {"sum": np.where(total == 0, np.nan, total), "bright": total > 1}

    def snapshot(self):
        return b""


class Provider:
    """Provides one model."""

    def __init__(self, card, runtime):
        self.model = LoadedModel(card, runtime)

    def get(self, _name, _ref="champion"):
        return self.model


def ask(card, runtime, *documents):
    engine = InferenceEngine(Provider(card, runtime), InferenceSettings(("m",)))
    requests = [Request.model_validate({"id": str(at), **one}) for at, one in enumerate(documents)]
    return [responses[0] for responses in engine.infer(requests)]


def test_a_named_model_answers_a_row_several_rows_and_tensors():
    tensor = {"name": "m", "shape": [2, 2], "datatype": "FP64", "data": [1.0, 2.0, -3.0, 4.0]}
    row, rows, tensors = ask(
        MARGINS,
        Margins(),
        {"features": {"x": 1.0, "y": 2.0}},
        {"features": [{"x": 1.0, "y": 2.0}, {"x": -2.0, "y": 0.5}]},
        {"inputs": [tensor]},
    )

    assert row.outputs == {"label": "a", "margins": {"a": 0.5, "b": 2.0}}
    assert [one["label"] for one in rows.outputs] == ["a", "b"]
    assert [(one.name, one.shape, one.datatype, one.data) for one in tensors.outputs] == [
        ("label", (2,), "BYTES", ["a", "b"]),
        ("margins", (2, 2), "FP64", [0.5, 2.0, -1.5, 4.0]),
    ]


def test_a_row_that_breaks_a_named_model_or_has_no_finite_number_is_refused_alone():
    good, broken, missing = ask(
        MARGINS,
        Margins(),
        {"features": {"x": 1.0, "y": 2.0}},
        {"features": {"x": -1.0, "y": 2.0}},
        {"features": {"x": 1.0, "y": None}},
    )

    assert isinstance(good, Inference)
    assert isinstance(broken, Rejection)
    assert broken.reason.code == missing.reason.code == "no_output"


def test_a_missing_value_is_recorded_as_null():
    class Present(Margins):
        def predict_rows(self, batch):
            return [{"label": "a"} for _ in range(batch.size)]

    (found,) = ask(MARGINS, Present(), {"features": {"x": 1.0, "y": math.nan}})

    assert found.features == {"x": 1.0, "y": None}


def test_the_fast_path_leaves_other_output_forms_and_escaped_names_to_the_engine():
    quoted = MARGINS.model_copy(
        update={"scores": "probability", "input_schema": InputSchema.of_floats(['size (")'])}
    )

    assert format_for(MARGINS, "row") is None
    assert format_for(PICTURES, "raw") is None
    assert format_for(quoted, "row") is None
    assert format_for(quoted.model_copy(update={"input_schema": SCHEMA}), "row") is not None


def image(data, **change):
    return {"name": "image", "shape": [1, 2, 2], "datatype": "FP32", "data": data, **change}


def test_a_tensor_model_answers_with_its_tensors():
    (found,) = ask(PICTURES, Sum(), {"inputs": [image([0.5, 0.25, 1.0, 0.25])]})

    assert [encode_tensor(one) for one in found.outputs] == [
        ("sum", (1,), "FP32", [2.0]),
        ("bright", (1,), "BOOL", [True]),
    ]


def encode_tensor(tensor: Tensor):
    return tensor.name, tensor.shape, tensor.datatype, tensor.data


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"features": {"x": 1.0}}, "tensors_expected"),
        ({"inputs": [image([0.5] * 4, shape=[4])]}, "wrong_shape"),
        ({"inputs": [image([0.5] * 8, shape=[2, 2, 2])]}, "wrong_shape"),
        ({"inputs": [image([0.5] * 3)]}, "wrong_shape"),
        ({"inputs": [image([0.5, 0.5, 0.5, "1"])]}, "wrong_type"),
        ({"inputs": [image([0.5, 0.5, 0.5, None])]}, "wrong_type"),
        ({"inputs": [image([0.5, 0.5, 0.5, 1e39])]}, "out_of_range"),
        ({"inputs": [image([0.5, 0.5, 0.5, math.inf])]}, "not_finite"),
        ({"inputs": [image([0.0] * 4)]}, "no_output"),
        ({"inputs": [image([0.5] * 4), image([0.5] * 4, name="mask")]}, None),
    ],
)
def test_a_request_that_a_tensor_model_cannot_take_is_refused(document, code):
    (found,) = ask(PICTURES, Sum(), document)

    assert (found.reason.code if isinstance(found, Rejection) else None) == code


def test_responses_of_both_forms_can_be_encoded():
    (named,) = ask(MARGINS, Margins(), {"features": {"x": 1.0, "y": 2.0}})
    (tensors,) = ask(PICTURES, Sum(), {"inputs": [image([0.5] * 4)]})

    for found in (named, tensors):
        request = Request(id="r", features={"x": 1.0})
        assert encode(request)
        assert found.outputs
