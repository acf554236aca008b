"""Pipelines in the inference engine: asked like models, answered with their steps' versions."""

import json

from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Prediction, Request
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.models.errors import PredictError
from modstream.models.evaluation.version_classes import VersionLabels
from modstream.models.registry.errors import ModelNotFound
from modstream.models.runtimes.pipeline_runtime import load
from modstream.models.schema.input_schema import Feature
from modstream.processors.evaluate.scoring import ScoredPair, score
from modstream.processors.join.answers import rows_of
from modstream.processors.predict.engine import Inference, InferenceEngine, Rejection
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.responses import is_prediction
from modstream.processors.predict.settings import InferenceSettings
from tests.processors.pipeline_models import FAILS_AT, PlainModel, make_card
from tests.processors.small_fixtures import StubLoadedModel

TEXT = b"""
name = "p"
[request]
x = "float"
[steps.first]
model = "stepped"
[steps.half]
transform = { y = "first.value / 2" }
[steps.last]
model = "stepped"
inputs = { x = "half.y" }
[output]
value = "last.value"
first = "first.value"
"""


class Publishing:
    """A provider whose model has a new version each time that it is asked."""

    def __init__(self):
        self.version = 0
        card = make_card("p", [Feature(name="x", kind="float")], "pipeline", runtime="pipeline")
        self.pipeline = StubLoadedModel(card, load(TEXT, card))

    def get(self, name, ref="champion"):
        if name == "p":
            return self.pipeline
        if name != "stepped":
            raise ModelNotFound(name, ref)
        self.version += 1
        return PlainModel(make_card("stepped", version=self.version), self.step(self.version))

    @staticmethod
    def step(version):
        def predict(columns):
            if (columns["x"] == FAILS_AT).any():
                raise PredictError("stepped", "fails")
            return columns["x"] + 1000 * version

        return predict


def expected(x, version):
    first = x + 1000 * version
    return {"value": first / 2 + 1000 * version, "first": first}


def test_a_batch_sees_one_version_of_each_model_in_all_steps_and_rows():
    engine = InferenceEngine(Publishing(), InferenceSettings(("p",)))
    requests = [Request(id=str(n), features={"x": float(n)}) for n in range(5)]
    many = Request(id="many", features=({"x": 1.0}, {"x": 2.0}))

    for version in (1, 2):
        *single, several = engine.infer([*requests, many])
        for n, (response,) in enumerate(single):
            assert isinstance(response, Inference)
            assert response.outputs == expected(n, version)
            assert response.features == {"x": float(n)}
            versions = [(one.name, one.version, one.outcome) for one in response.steps]
            assert versions == [
                ("first", version, "ok"),
                ("half", None, "ok"),
                ("last", version, "ok"),
            ]
        assert several[0].outputs == (expected(1, version), expected(2, version))


def test_a_failing_row_is_refused_with_its_step_and_the_others_are_answered():
    engine = InferenceEngine(Publishing(), InferenceSettings(("p",)))
    values = [1.0, FAILS_AT, 2.0]

    good, bad, other = (
        response
        for (response,) in engine.infer(
            [Request(id=str(n), features={"x": x}) for n, x in enumerate(values)]
        )
    )

    assert isinstance(bad, Rejection)
    assert bad.reason.code == "step_failed"
    assert str(bad.reason).startswith("pipeline p: step first: ")
    assert isinstance(good, Inference)
    assert isinstance(other, Inference)


def test_invalid_features_are_refused_by_the_pipelines_own_schema():
    engine = InferenceEngine(Publishing(), InferenceSettings(("p",)))

    ((missing,), (wrong,)) = engine.infer(
        [Request(id="a", features={"z": 1}), Request(id="b", features={"x": "text"})]
    )

    assert [missing.reason.code, wrong.reason.code] == ["missing_feature", "wrong_type"]


def test_a_request_of_tensors_is_answered_in_tensors():
    engine = InferenceEngine(Publishing(), InferenceSettings(("p",)))
    tensor = {"name": "x", "shape": [2], "datatype": "FP64", "data": [1.0, 2.0]}

    ((response,),) = engine.infer([Request(id="t", inputs=(tensor,))])

    assert [(one.name, one.shape) for one in response.outputs] == [("value", (2,)), ("first", (2,))]


def test_the_record_of_an_answer_has_the_steps_and_that_of_a_model_has_none():
    handle = request_handler(Topics("s"), Publishing(), InferenceSettings(("p",)))
    asked = [
        Request(id="a", features={"x": 4.0}),
        Request(id="b", features={"x": 4.0}, model="stepped"),
    ]
    records = [Record("s.requests", 0, n, b"k", encode(one), (), 0) for n, one in enumerate(asked)]

    of_pipeline, of_model = handle(records).records

    answer = decode(Prediction, of_pipeline.value)
    assert is_prediction(of_pipeline)
    assert answer.outputs == expected(4, 1)
    assert [one.name for one in answer.steps] == ["first", "half", "last"]
    assert all(one.milliseconds >= 0 for one in answer.steps)
    assert "steps" not in json.loads(of_model.value)


def test_a_label_is_joined_with_the_requests_features_and_scored_as_the_task_says():
    handle = request_handler(Topics("s"), Publishing(), InferenceSettings(("p",)))
    asked = Request(id="a", features={"x": 4.0})
    (record,) = handle([Record("s.requests", 0, 0, b"k", encode(asked))]).records
    card = make_card("p", task="regression", runtime="pipeline")

    joined = rows_of(decode(Prediction, record.value))
    scored = score(VersionLabels.of(card), 3000.0, joined.outputs[0])

    assert list(joined.features) == [{"x": 4.0}]
    assert list(joined.outputs) == [expected(4, 1)]
    assert scored == ScoredPair("regression", 3000.0, expected(4, 1)["value"])
