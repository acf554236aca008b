"""Other people's models, published by the command line: answered as by their own library."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from modstream.broker.wire.contracts import Prediction, Request
from modstream.producers.errors import RequestRefused
from tests.foreign_models import foreign_models
from tests.journeys.conftest import TIMEOUT_SECONDS, open_system, with_route

pytestmark = [pytest.mark.real, pytest.mark.journey, pytest.mark.long]

TOLERANCE = 1e-4
# Named here, since the models are fitted only where these tests run, not where they are collected.
REFUSED = ("int32", "fraction")
LARGE = "hundred"
ANSWERED = (
    "plain", "quoted.names", "epoch-seconds", "one-hot", "imputed-strings", "missing",
    "missing-nan", "two-values", "int32-good", "one-by-one", "margins", "from-three", "svc",
)  # fmt: skip


@pytest.fixture(scope="module")
def stream(bootstrap, redis_url, tmp_path_factory):
    """A stream with a worker, and all models published."""
    folder = tmp_path_factory.mktemp("foreign")
    with open_system(bootstrap, redis_url, f"f{folder.name}.", folder) as opened:
        system = with_route(opened, "plain", stream="foreign")
        system.create_topics()
        models = foreign_models()
        assert models.keys() == {*ANSWERED, *REFUSED, LARGE}, "each has its test"
        for name, model in models.items():
            path = folder / f"{name}{model.suffix}"
            model.write(path)
            done = system.run("models", "publish", name, str(path), *model.options)
            assert done.returncode == 0, f"{name}: {done.stderr}"
        system.start("worker", "worker")
        client = system.client()
        for name, model in models.items():
            system.wait_until_loaded(client, dict(model.features), name)
        yield system


@pytest.mark.parametrize("name", ANSWERED)
def test_the_answer_is_the_librarys_own(stream, name):
    client, model = stream.client(), foreign_models()[name]

    response = client.wait(client.send(model.features, model=name), TIMEOUT_SECONDS)

    assert isinstance(response, Prediction)
    assert_close(response.outputs, model.outputs)


@pytest.mark.parametrize("name", REFUSED)
def test_a_value_that_the_model_cannot_take_is_refused_with_its_reason(stream, name):
    client, model = stream.client(), foreign_models()[name]

    with pytest.raises(RequestRefused) as refused:
        client.wait(client.send(model.features, model=name), TIMEOUT_SECONDS)

    assert refused.value.code == model.error


def test_an_answer_larger_than_the_topic_takes_is_a_typed_error_and_no_restart(stream):
    client = stream.client()
    rows = [{"x0": 0.5, "x1": 0.5}] * 10_000

    large = client.send(rows, model=LARGE)
    beside = client.send({"x0": 0.5, "x1": 0.5}, model=LARGE)
    with pytest.raises(RequestRefused) as refused:
        client.wait(large, TIMEOUT_SECONDS)

    assert refused.value.code == "answer_too_large"
    assert isinstance(client.wait(beside, TIMEOUT_SECONDS), Prediction)
    assert [row.restarts for row in stream.supervisor.status()] == [0]


def test_a_request_of_tensors_gets_the_same_answer(stream):
    client = stream.client()
    tensor = {"name": "X", "shape": [4], "datatype": "FP64", "data": [5.1, 3.5, 1.4, 0.2]}
    request = Request.model_validate({"id": "tensors", "model": "svc", "inputs": [tensor]})

    response = client.wait(client.submit(request), TIMEOUT_SECONDS)

    found = {one.name: one.data for one in response.outputs}
    expected = foreign_models()["svc"].outputs
    assert found["margins"] == pytest.approx(list(expected["margins"].values()), abs=TOLERANCE)


def test_the_published_card_says_what_the_outputs_mean(stream):
    shown = json.loads(stream.run("models", "show", "margins", "--json").stdout)

    assert "margin" in json.dumps(shown)


def assert_close(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Assert that outputs by name are equal, and numbers close."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, dict):
            assert_close(found[name], value)
        elif isinstance(value, float):
            assert found[name] == pytest.approx(value, abs=TOLERANCE)
        else:
            assert found[name] == value
            assert type(found[name]) is type(value)
