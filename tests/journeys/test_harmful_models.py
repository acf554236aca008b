"""A real worker beside models that never end, crash or cannot be loaded: its neighbours go on."""

from time import monotonic

import onnx
import pytest

from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.producers.errors import RequestRefused
from tests.journeys.conftest import TIMEOUT_SECONDS, with_route
from tests.models.constant_model import constant_artifact, constant_spec
from tests.models.onnx_graphs import allocating_graph, looping_graph, summing_graph

pytestmark = [pytest.mark.real, pytest.mark.journey]

ROW = {"x0": 1.0, "x1": 2.0}
LOAD_LIMIT_SECONDS = 4.0
NEIGHBOUR_SECONDS = LOAD_LIMIT_SECONDS
"""The longest time for which another request may wait: it does not wait for the load."""
PATIENCE_SECONDS = 30.0
"""The same, if a model that was loaded never ends predicting one row. The worker ends such a run
after ten seconds at most; the rest is for a busy machine."""


def publish(system, name, content, alias="champion"):
    """Publish an ONNX model as no command would, without a trial."""
    spec = VersionSpec(
        name=name,
        runtime="onnx",
        task="regression",
        input_schema=InputSchema.of_floats(["x0", "x1"]),
    )
    with system.registry() as registry:
        return registry.publish(spec, content, alias=alias)


@pytest.fixture
def sums(system):
    """A running worker whose route is a good model."""
    system = with_route(system, "sums", stream="sums")
    system.create_topics()
    publish(system, "sums", summing_graph())
    limits = {"MODSTREAM_MODEL_CACHE__LOAD_LIMIT_SECONDS": str(LOAD_LIMIT_SECONDS)}
    system.start("worker", "worker", environment=limits)
    system.wait_for_worker()
    return system


def outcome(client, request):
    """Return the value or the error of a request."""
    try:
        return client.wait(request, TIMEOUT_SECONDS).outputs["value"]
    except RequestRefused as refused:
        return refused


def ask(client, model):
    """Return the value, or else the error code, of one request, and the seconds that it took."""
    started = monotonic()
    found = outcome(client, client.send(ROW, model=model))
    return getattr(found, "code", found), monotonic() - started


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (looping_graph(), "did not end within 4 s"),
        (allocating_graph(2**31), "memory"),
    ],
    ids=["never ends", "takes all memory"],
)
def test_a_harmful_model_costs_its_own_requests_an_error_and_no_other(sums, content, reason):
    publish(sums, "harmful", content)
    client = sums.client()
    slowest, codes, started = 0.0, [], monotonic()

    while codes[-1:] != ["model_unavailable"]:
        asked = client.send(ROW, model="harmful")
        value, took = ask(client, "sums")
        assert value == 3.0
        slowest = max(slowest, took)
        error = outcome(client, asked)
        codes.append(error.code)
        assert monotonic() - started < LOAD_LIMIT_SECONDS + TIMEOUT_SECONDS

    assert set(codes) <= {"model_loading", "model_unavailable"}
    assert reason in str(error)
    assert slowest < NEIGHBOUR_SECONDS
    for _ in range(5):
        code, took = ask(client, "harmful")
        assert code == "model_unavailable"
        assert took < NEIGHBOUR_SECONDS
    assert sums.supervisor.status()[0].restarts == 0


def of_one_row(content):
    """Return the model with an input of one row, so that rows do not depend on each other."""
    model = onnx.load_model_from_string(content)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    return model.SerializeToString()


def test_a_request_that_a_proven_model_never_answers_costs_others_a_moment(sums):
    publish(sums, "loops", of_one_row(looping_graph(trips_from_input=True)))
    client = sums.client()
    sums.wait_until_loaded(client, {"x0": 3.0, "x1": 0.0}, "loops")
    assert outcome(client, client.send({"x0": 3.0, "x1": 0.0}, model="loops")) == 6.0

    endless = client.send({"x0": float(2**60), "x1": 0.0}, model="loops")
    value, took = ask(client, "sums")

    assert (value, outcome(client, endless).code) == (3.0, "no_output")
    assert took < PATIENCE_SECONDS
    assert sums.supervisor.status()[0].restarts == 0


def test_the_first_request_for_a_small_model_is_answered(sums):
    publish(sums, "other", summing_graph())

    assert ask(sums.client(), "other")[0] == 3.0


def test_a_worker_whose_champion_cannot_be_loaded_starts_says_so_and_recovers(system):
    system = with_route(system, "broken", "good", stream="good")
    system.create_topics()
    with system.registry() as registry:
        registry.publish(constant_spec("broken", 1), constant_artifact(1))
        registry.publish(constant_spec("broken", 2), b"not a model")
    publish(system, "good", summing_graph())
    system.start("worker", "worker")
    client = system.client()

    assert ask(client, "good")[0] == 3.0
    assert ask(client, "broken")[0] == "model_unavailable"
    assert "model of the route cannot be loaded" in system.log("worker")
    unhealthy = wait_for_health(system, returncode=1)
    assert "the champion of broken cannot be loaded, nothing serves" in unhealthy

    assert system.run("models", "rollback", "broken").returncode == 0

    wait_for_health(system, returncode=0)
    broken = client.wait(client.send({"distance": 1.0}, model="broken"), TIMEOUT_SECONDS)
    assert broken.version == 1
    assert system.supervisor.status()[0].restarts == 0


def wait_for_health(system, returncode):
    """Wait until the worker has reported, and `modstream health` returns the code; return it."""
    deadline = monotonic() + TIMEOUT_SECONDS
    while True:
        found = system.run("health")
        if "worker" in found.stdout and found.returncode == returncode:
            return " ".join(found.stdout.split())
        assert monotonic() < deadline, found.stdout
