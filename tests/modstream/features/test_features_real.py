"""Features of a running stream: each event counts once, and what is served equals the sources."""

import json
from time import monotonic, sleep

import httpx
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from modstream.models.importers.onnx_export import to_onnx
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.stack.embedded.ports import free_port
from tests.journeys.conftest import TIMEOUT_SECONDS, open_system, with_route
from tests.modstream.features.waiting import wait_until_counted

pytestmark = [pytest.mark.real, pytest.mark.journey]

MODEL = "delay"
START = 1_700_000_000_000
MINUTE = 60_000
DEFINITIONS = """
[[features]]
name = "late_rate"
source = "labels"
group = ["airport"]
window = "1h"
aggregate = "rate"
value = "label"
smoothing = 2
prior = 0.25

[[features]]
name = "asked"
source = "requests"
group = ["airport"]
window = "1h"
aggregate = "count"

[[features]]
name = "open"
source = "labels"
group = []
window = "24h"
aggregate = "overdue"
due_after = "10m"
"""
MORE = """
[[features]]
name = "farthest"
source = "requests"
group = []
window = "24h"
aggregate = "max"
value = "distance"
"""
SCHEMA = InputSchema(
    features=tuple(
        Feature(name=name, kind="float")
        for name in ("airport", "distance", "late_rate", "asked", "open")
    )
)


def publish_model(system) -> None:
    """Publish a regression of which each feature of the stream moves another digit."""
    model = LinearRegression()
    model.coef_ = np.array([0.0, 0.0, 1.0, 10.0, 10_000.0])
    model.intercept_, model.n_features_in_ = 0.0, 5
    golden = SCHEMA.parse_rows([dict.fromkeys(SCHEMA.names, float(one)) for one in (0, 1)]).batch
    spec = VersionSpec(name=MODEL, runtime="onnx", task="regression", input_schema=SCHEMA)
    with system.registry() as registry:
        registry.publish(spec, to_onnx(model, SCHEMA, golden))


@pytest.fixture(params=["memory"])
def store(request):
    """Return where aggregator and worker keep their state."""
    return request.param


@pytest.fixture
def system(bootstrap, redis_url, prefix, tmp_path, store):
    with open_system(bootstrap, redis_url, prefix, tmp_path) as opened:
        found = with_route(opened, MODEL)
        found.create_topics()
        publish_model(found)
        (tmp_path / "features.toml").write_text(DEFINITIONS)
        done = found.run("features", "publish", "features.toml")
        assert "3 features, 3 new, 0 removed" in done.stdout, done.stderr
        for name in ("worker", "joiner", "aggregator"):
            environment = {"MODSTREAM_STREAM_FEATURES__STORE": store}
            found.start(name, name, environment=environment)
        yield found


def ask(client, number: int):
    """Ask for a row, and return the answer."""
    row = {"airport": float(number % 3), "distance": 100.0 + number}
    asked = client.send(row, event_time=START + number * MINUTE)
    return client.wait(asked, TIMEOUT_SECONDS)


def wait_until_started(system, name) -> None:
    """Wait until the aggregator counts a feature in all partitions."""
    deadline = monotonic() + TIMEOUT_SECONDS
    partitions = system.settings.partitions
    while True:
        found = json.loads(system.run("features", "list", "--json").stdout)
        if {one["feature"]: one["partitions"] for one in found}.get(name) == partitions:
            return
        assert monotonic() < deadline, json.dumps(found)


@pytest.mark.parametrize(
    "store", ["memory", pytest.param("disk", marks=pytest.mark.thorough)], indirect=True
)
def test_served_features_are_those_of_the_sources_whatever_process_is_killed(system):
    client = system.client()
    answers = []
    for number in range(60):
        answers.append(ask(client, number))
        client.label(answers[-1].id, number % 2 == 0, START + (number + 5) * MINUTE)
        if number in (20, 40):
            for name in ("aggregator", "worker"):
                system.supervisor.kill(name)
    wait_until_counted(system)
    last = ask(client, 60)

    found = json.loads(system.run("features", "verify", "--json").stdout)

    assert found["differing"] == 0, found["examples"]
    assert (found["rows"], found["values"]) == (61, 183)
    assert last.features["asked"] == 19
    assert 0.25 < last.features["late_rate"] < 0.75
    assert last.outputs["value"] == pytest.approx(
        last.features["late_rate"] + 190 + 10_000 * last.features["open"], rel=1e-5
    )


def test_a_feature_that_is_added_later_counts_what_was_recorded_before(system, tmp_path):
    client = system.client()
    for number in range(10):
        ask(client, number)
    wait_until_counted(system)
    (tmp_path / "more.toml").write_text(DEFINITIONS + MORE)
    done = system.run("features", "publish", "more.toml")
    assert "4 features, 1 new, 0 removed" in done.stdout
    wait_until_started(system, "farthest")
    ask(client, 3)
    wait_until_counted(system)

    before = json.loads(system.run("features", "show", "farthest", "--json").stdout)
    filled = json.loads(system.run("features", "backfill", "--json").stdout)
    after = json.loads(system.run("features", "show", "farthest", "--json").stdout)

    assert filled["events"] >= 10
    assert (before["value"], after["value"]) == (103.0, 109.0)


def start_gateway(system) -> str:
    """Start a gateway, and return its URL when a model is answered."""
    url = f"http://127.0.0.1:{free_port()}"
    system.start("gateway", "gateway", "--port", url.rpartition(":")[2], "--grpc-port", "-1")
    deadline = monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            if httpx.get(f"{url}/v2/models/{MODEL}/ready").status_code == 200:
                return url
        except httpx.TransportError:
            pass
        assert monotonic() < deadline
        sleep(0.1)


def test_a_client_that_sends_the_inputs_that_are_listed_is_answered(system):
    url = start_gateway(system)

    found = httpx.get(f"{url}/v2/models/{MODEL}").json()
    inputs = [
        {"name": one["name"], "datatype": one["datatype"], "shape": [1], "data": [1.0]}
        for one in found["inputs"]
    ]
    answer = httpx.post(f"{url}/v2/models/{MODEL}/infer", json={"inputs": inputs}, timeout=30)

    assert [one["name"] for one in found["inputs"]] == ["airport", "distance"]
    assert found["properties"]["optional_inputs"] == "late_rate, asked, open"
    config = httpx.get(f"{url}/v2/models/{MODEL}/config").json()
    assert [one["name"] for one in config["input"]] == ["airport", "distance"]
    assert answer.status_code == 200, answer.text
    shown = json.loads(system.run("models", "show", MODEL, "--json").stdout)
    assert shown["stream_features"] == ["late_rate", "asked", "open"]
    assert "asked: float, added by the stream" in system.run("models", "show", MODEL).stdout
