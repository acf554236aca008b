"""A running gateway before clients and tools that others wrote, and before hostile bodies.

`--clients all` asks every model through every client and makes many more hostile calls.
"""

import http.client
import sys
from itertools import islice
from time import perf_counter
from typing import NamedTuple
from urllib.parse import urlsplit

import grpc
import pytest

from tests.gateway_clients.cases import ClientCase, cases_of, expected_outputs
from tests.gateway_clients.clients import CLIENTS, Client, compare, model_of, table
from tests.gateway_clients.documented_clients import programs, run
from tests.gateway_clients.environments import is_possible
from tests.gateway_clients.flood import METHOD, flood_grpc, flood_http
from tests.gateway_clients.models import ALL_MODELS, asked_model
from tests.gateway_clients.mutations import grpc_messages, http_bodies
from tests.gateway_clients.openapi_checks import check_document, fuzz
from tests.gateway_clients.refused_calls import MATRIX, MEBIBYTE, one, refused_calls
from tests.gateway_clients.refused_cases import problem_of, refused_cases
from tests.gateway_clients.running_gateway import running_gateway

PART = (
    "two-kinds", "flowers", "width", "people", "learned", "same-bool", "same-int32", "same-uint8",
    "same-uint64", "same-fp16", "same-fp32", "same-bytes", "two-matrices", "tokens-and-mask",
)  # fmt: skip
"""The models of a short run: those that the hostile calls name."""
MEMORY_GROWTH = 50 * MEBIBYTE
PATIENCE = 1.0
"""Seconds within which a call must be refused; tests run beside each other, so this is not the time
on a quiet machine, which is a tenth of it."""

pytestmark = [pytest.mark.real, pytest.mark.journey, pytest.mark.long]


@pytest.fixture(scope="module")
def runs_all(request):
    return request.config.getoption("--clients") == "all"


@pytest.fixture(scope="module")
def models(runs_all):
    return {name: asked_model(name) for name in (ALL_MODELS if runs_all else PART)}


@pytest.fixture(scope="module")
def gateway(bootstrap, redis_url, tmp_path_factory, models):
    folder = tmp_path_factory.mktemp("gateway_clients")
    with running_gateway(bootstrap, redis_url, folder, models) as running:
        yield running


@pytest.fixture(scope="module")
def clients(runs_all):
    found = [one for one in CLIENTS if runs_all or one.environment == "tritonclient"]
    return [one for one in found if is_possible(one.environment)]


class ClientRun(NamedTuple):
    """What a client has done in one process: calls, what it tells, and calls that are refused."""

    client: Client
    cases: list[ClientCase]
    answers: list[dict]
    refused: list[dict]
    description: dict


@pytest.fixture(scope="module")
def client_runs(gateway, models, clients):
    """Run each client once, since its imports take longer than its calls."""
    cases = cases_of(models)
    expected = {case.name: expected_outputs(case, models[model_of(case)]) for case in cases}
    good = next(case.call(expected[case.name]) for case in cases if case.model == "width")
    # A good call follows each one that is refused.
    bad = [call for one in refused_cases() for call in (one.case.call({"value": None}), good)]
    runs = []
    for client in clients:
        mine = [case for case in cases if client.can_make(case)]
        calls = [case.call(expected[case.name]) for case in mine]
        found = client.run(gateway, calls + bad, "flowers")
        answers, refused = found["calls"][: len(mine)], found["calls"][len(mine) :]
        runs.append(ClientRun(client, mine, answers, refused, found["description"]))
    return runs


def test_every_client_gets_the_answers_of_the_models_own_libraries(models, client_runs):
    done = [compare(run.client, run.cases, models, run.answers) for run in client_runs]
    sys.stdout.write(f"\n{table(done)}\n")

    assert [line for one in done for line in one.wrong] == []
    assert all(one.passed >= 60 for one in done)


def test_every_client_can_tell_what_the_server_and_a_model_are(models, client_runs):
    expected = {
        "live": True,
        "ready": True,
        "model_ready": True,
        "version_ready": True,
        "unknown_ready": False,
        "server": "modstream",
        "inputs": ["x0", "x1", "x2", "x3"],
        "versions": ["1"],
        "config": "flowers",
        "statistics": "flowers",
        "index": sorted([*models, "renewed"]),
    }
    for client, *_, found in client_runs:
        assert found.pop("all_statistics", 1) >= 1
        assert found == {name: expected[name] for name in found}, client.name
        assert len(found) >= 4


def test_the_documented_programs_print_an_answer(gateway, clients):
    available = {client.environment for client in clients} | {""}
    printed = [run(one, gateway) for one in programs() if one.environment in available]

    assert len(printed) >= 3
    assert all("setosa" in text for text in printed), printed


def test_every_client_raises_its_usual_error_and_goes_on(client_runs):
    problems = []
    for client, _, _, results, _ in client_runs:
        pairs = zip(refused_cases(), results[::2], strict=True)
        problems += [problem_of(client, one, result.get("error")) for one, result in pairs]
        problems += [result.get("error", "") for result in results[1::2]]

    assert list(filter(None, problems)) == []


@pytest.mark.parametrize("refused", refused_calls(), ids=lambda one: one.name)
def test_a_wrong_call_is_refused_in_plain_words_on_a_connection_that_stays_open(gateway, refused):
    found = gateway.call(refused.method, refused.path, refused.body, refused.headers)

    assert found.status == refused.status, found
    assert found.headers["content-type"] == "application/json"
    assert refused.text in found.json()["error"]
    assert gateway.call("GET", "/v2/health/live").json() == {"live": True}


def test_large_bodies_are_refused_before_they_are_read(gateway):
    body = b" " * (64 * MEBIBYTE)
    memory = gateway.memory()
    start = perf_counter()
    connection = http.client.HTTPConnection(urlsplit(gateway.http).netloc, timeout=60)
    connection.putrequest("POST", MATRIX)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    response = connection.getresponse()
    seconds = perf_counter() - start
    assert (response.status, seconds < PATIENCE) == (413, True)
    connection.close()

    assert gateway.call("POST", MATRIX, body).status == 413
    assert gateway.call("POST", MATRIX, iter([body])).status == 413, "sent in chunks"
    assert gateway.call("POST", MATRIX, one()).status == 200
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(gateway.grpc, options) as channel:
        with pytest.raises(grpc.RpcError) as refusal:
            channel.unary_unary(METHOD)(body, timeout=60)
        assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        live = channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
        assert live(b"", timeout=60) == b"\x08\x01"
    assert gateway.memory() - memory < MEMORY_GROWTH


@pytest.mark.parametrize("name", ["a gzip bomb", "120 levels of data", "a length beyond the body"])
def test_costly_calls_are_refused_at_once(gateway, name):
    refused = next(one for one in refused_calls() if one.name == name)

    def seconds():
        start = perf_counter()
        gateway.call(refused.method, refused.path, refused.body, refused.headers)
        return perf_counter() - start

    assert min(seconds() for _ in range(3)) < PATIENCE


def test_mutated_bodies_are_answered_or_refused(gateway, runs_all, request):
    count, seed = (5_000, 500)[not runs_all], request.config.getoption("--seed")
    flood_http(gateway.http, islice(http_bodies(200, seed + 1), 200))
    memory, process = gateway.memory(), gateway.process().pid

    floods = (
        flood_http(gateway.http, http_bodies(count, seed)),
        flood_grpc(gateway.grpc, grpc_messages(count, seed)),
    )
    growth = gateway.memory() - memory
    counts = [dict(one.statuses) for one in floods]
    sys.stdout.write(f"\n{counts}, memory grew by {growth / MEBIBYTE:.1f} MiB, --seed {seed}\n")

    assert [line for one in floods for line in one.problems[:20]] == []
    assert [sum(one.statuses.values()) for one in floods] == [count, count]
    assert gateway.process().pid == process
    assert growth < MEMORY_GROWTH


def test_bytes_that_are_not_http_are_refused_in_json(gateway):
    connection = http.client.HTTPConnection(urlsplit(gateway.http).netloc, timeout=60)
    connection.connect()
    connection.sock.sendall(b"\x16\x03\x01 this is TLS, perhaps\r\n\r\n")
    response = http.client.HTTPResponse(connection.sock)
    response.begin()

    assert (response.status, response.getheader("content-type")) == (400, "application/json")
    connection.close()


def test_the_openapi_document_is_valid_and_every_answer_conforms_to_it(gateway, runs_all, tmp_path):
    check_document(gateway, tmp_path)

    if runs_all:
        assert fuzz(gateway, tmp_path, 400, with_names=True) >= 3_000
        assert fuzz(gateway, tmp_path, 160, with_names=False) >= 2_000
    else:
        assert fuzz(gateway, tmp_path, 3, with_names=True) >= 20
