"""The inference engine: requests in, predictions or typed rejections out, without any protocol."""

import ast
from pathlib import Path

import pytest

from modstream.broker.wire.contracts import Request, Tensor
from modstream.models.errors import ModelLoading
from modstream.models.registry.errors import RegistryUnavailable
from modstream.processors.predict import batching, engine, model_resolver, outputs, settings
from modstream.processors.predict.engine import Inference, InferenceEngine, Rejection
from modstream.processors.predict.settings import InferenceSettings
from tests.processors.small_fixtures import (
    StubModelProvider,
    iris_model,
    rejecting_model,
    river_model,
)

ROW = {"a": 1.0, "b": 0.0}


def make_engine(*models, route=None, **options):
    names = tuple(model.card.name for model in models)
    provider = StubModelProvider({model.card.name: model for model in models})
    return InferenceEngine(provider, InferenceSettings(route or names, **options))


def test_each_request_gets_a_response_of_each_model_of_the_route_in_its_order():
    infer = make_engine(rejecting_model(rejected_value=13), iris_model()).infer

    first, second = infer([Request(id="a", features=ROW), Request(id="b", features=ROW)])

    assert [response.card.name for response in first] == ["fussy", "iris"]
    assert [response.request.id for response in (*first, *second)] == ["a", "a", "b", "b"]
    assert first[0].outputs == {"probability": 0.01}
    assert (first[0].features, first[1].features) == (ROW, None)


@pytest.mark.parametrize(
    ("request_", "outputs_"),
    [
        (Request(id="r", features=ROW), {"probability": 0.01}),
        (Request(id="r", features=(ROW, ROW)), ({"probability": 0.01}, {"probability": 0.01})),
    ],
)
def test_outputs_have_the_format_of_the_request(request_, outputs_):
    ((response,),) = make_engine(rejecting_model(rejected_value=13)).infer([request_])

    assert response.outputs == outputs_


def test_tensors_are_answered_with_tensors():
    tensor = Tensor(name="x", shape=(2, 2), datatype="FP64", data=[1.0, 0.0, 2.0, 0.0])

    ((response,),) = make_engine(rejecting_model(rejected_value=13)).infer(
        [Request(id="r", inputs=(tensor,))]
    )

    assert [one.data for one in response.outputs] == [[0.01, 0.02]]


def test_a_rejection_carries_its_typed_reason_and_costs_no_other_request():
    infer = make_engine(rejecting_model(rejected_value=13)).infer
    rows = [ROW, {"a": 13, "b": 0}, {"a": 1}, {"a": 1, "b": 666}]

    responses = infer([Request(id=f"{n}", features=row) for n, row in enumerate(rows)])

    kinds = [type(response) for (response,) in responses]
    assert kinds == [Inference, Rejection, Rejection, Rejection]
    codes = [response.reason.code for (response,) in responses[1:]]
    assert codes == ["no_output", "missing_feature", "no_output"]


def test_unknown_and_unavailable_models_are_rejected_by_name():
    class Unavailable:
        def get(self, name, ref="champion"):
            raise RegistryUnavailable("connection refused")

    known = make_engine(river_model("m"))
    ((unknown,),) = known.infer([Request(id="r", features=ROW, model="other")])
    ((away,),) = InferenceEngine(Unavailable(), InferenceSettings(("m",))).infer(
        [Request(id="r", features=ROW)]
    )

    assert (unknown.model, unknown.reason.code) == ("other", "unknown_model")
    assert (away.model, away.reason.code) == ("m", "model_unavailable")


def test_a_model_that_is_being_loaded_is_rejected_with_a_code_of_its_own():
    class Loading:
        def get(self, name, ref="champion"):
            raise ModelLoading(name, ref)

    ((response,),) = InferenceEngine(Loading(), InferenceSettings(("m",))).infer(
        [Request(id="r", features=ROW)]
    )

    assert response.reason.code == "model_loading"
    assert str(response.reason) == "the champion of m is being loaded; try again"


def test_the_traffic_split_goes_by_the_keys_that_are_given():
    class Versions:
        def get(self, name, ref="champion"):
            return river_model(name, version={"champion": 1, "challenger": 2}[ref])

    infer = InferenceEngine(Versions(), InferenceSettings(("m",), challenger_share=0.5)).infer
    requests = [Request(id="same", features={"x": 1, "city": "LGA"})] * 50

    by_key = infer(requests, keys=[b"key-%d" % number for number in range(50)])
    by_id = infer(requests)

    assert {response.card.version for (response,) in by_key} == {1, 2}
    assert len({response.card.version for (response,) in by_id}) == 1


def test_an_empty_list_of_requests_has_no_responses():
    assert make_engine(river_model()).infer([]) == []


def test_the_engine_and_its_parts_import_no_client_and_no_protocol():
    for module in (batching, engine, model_resolver, outputs, settings):
        tree = ast.parse(Path(module.__file__).read_text())
        names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        foreign = {
            name
            for name in names
            if name.startswith(("modstream.broker.client", "modstream.broker.loop"))
            or name in ("modstream.broker.wire.records", "modstream.broker.wire.topics")
        }
        assert not foreign, module.__name__
