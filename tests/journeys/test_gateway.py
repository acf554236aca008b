"""Two gateways before one worker: answers, tickets, idempotency, labels and refusals over HTTP."""

import asyncio
import json
import os
import signal
import uuid
from time import monotonic, time
from typing import NamedTuple

import aiohttp
import httpx
import pytest
from cloudevents.core.bindings.http import (
    HTTPMessage,
    from_http_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka, to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import Producer
from river.linear_model import LogisticRegression

from modstream.broker.client.reader import Reader, read_to_end
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Feedback
from modstream.models.runtimes.river.artifact import pack
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.producers.gateway.settings import GatewaySettings
from modstream.producers.gateway.tickets import decode_ticket
from modstream.stack.embedded.ports import free_port
from tests.journeys.conftest import TIMEOUT_SECONDS, open_system, with_route

pytestmark = [pytest.mark.real, pytest.mark.journey]

ROW = {"x0": 0.5, "x1": -1.0}
REPEATED = 1000
TENSOR = {"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [0.5, -1.0]}


class Gateways:
    """A system with a worker, and the URLs of its two gateways."""

    def __init__(self, system):
        self.system = system
        self.urls = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]

    def start(self, number):
        port = self.urls[number].rpartition(":")[2]
        name = f"gateway-{number}"
        self.system.start(name, "gateway", "--port", port, "--grpc-port", "-1")

    def signal(self, name, number):
        rows = self.system.supervisor.status()
        os.kill(next(row.pid for row in rows if row.name == name), number)

    def wait_ready(self, number):
        deadline = monotonic() + TIMEOUT_SECONDS
        while True:
            try:
                answer = httpx.get(f"{self.urls[number]}/v2/health/ready", timeout=5)
                if answer.status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert monotonic() < deadline, self.system.log(f"gateway-{number}")

    def call(self, method, path, number=0, **options):
        return httpx.request(method, self.urls[number] + path, timeout=60, **options)

    def predict(self, number=0, **options):
        document = {"features": ROW} | options.pop("fields", {})
        return self.call("POST", "/v1/streams/bugs/predict", number, json=document, **options)


@pytest.fixture(scope="module")
def gateways(bootstrap, redis_url, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gateway")
    with open_system(bootstrap, redis_url, f"t{uuid.uuid4().hex[:8]}.", folder) as opened:
        system = with_route(opened, "bugs", "shadow", stream="bugs")
        system.create_topics()
        with system.registry() as registry:
            for name in ("bugs", "shadow"):
                registry.publish(spec(name), pack(LogisticRegression()))
        found = Gateways(system)
        for number in range(2):
            found.start(number)
        system.start("worker", "worker")
        system.start("joiner", "joiner")
        for number in range(2):
            found.wait_ready(number)
        yield found


def spec(name):
    return VersionSpec(
        name=name,
        runtime="river",
        task="binary",
        classes=(False, True),
        input_schema=InputSchema.of_floats(["x0", "x1"]),
    )


def feedback_of(gateways, key):
    system = gateways.system
    records = read_to_end(system.settings.connection, [system.topics.feedback])
    return [decode(Feedback, record.value) for record in records if record.key == key]


def requests_of(gateways):
    topics = gateways.system.topics
    return list(read_to_end(gateways.system.settings.connection, [topics.requests]))


def test_a_row_is_answered_by_the_primary_model(gateways):
    answer = gateways.predict(fields={"id": "mine"})
    assert answer.status_code == 200
    found = answer.json()
    assert (found["id"], found["model"], found["version"]) == ("mine", "bugs", 1)
    assert found["outputs"] == {"probability": 0.5}
    assert found["request_id"] != "mine"


def test_the_model_and_version_can_be_chosen(gateways):
    fields = {"model": "shadow", "version": "champion", "features": [ROW, ROW]}
    found = gateways.predict(fields=fields).json()
    assert found["model"] == "shadow"
    assert found["outputs"] == [{"probability": 0.5}] * 2


@pytest.mark.parametrize("write", [to_binary_event, to_structured_event])
def test_a_cloud_event_is_answered_by_one_in_its_mode(gateways, write):
    path = "/v1/streams/bugs/predict"
    for data, kind in ((ROW, "modstream.prediction"), ({"x0": "a"}, "modstream.error")):
        event = CloudEvent({"source": "/shop", "type": "order.placed"}, data)
        message = write(event)
        found = gateways.call("POST", path, content=message.body, headers=message.headers)
        answer = from_http_event(HTTPMessage(dict(found.headers), found.content))
        assert answer.get_type() == kind
        assert answer.get_extension("causationid") == event.get_id()
        assert answer.get_data()["id"] == event.get_id()
        assert answer.get_data().get("outputs") == (
            {"probability": 0.5} if found.status_code == 200 else None
        )


def test_a_cloud_event_in_kafka_is_answered_by_one(gateways):
    system, topics = gateways.system, gateways.system.topics
    event = CloudEvent({"source": "/shop", "type": "order.placed"}, ROW)
    producer = Producer({"bootstrap.servers": system.settings.bootstrap})
    for message in (to_binary(event, JSONFormat()), to_structured(event, JSONFormat())):
        producer.produce(topics.requests, message.value, key=b"k", headers=message.headers)
    producer.flush(10)

    with Reader(system.settings.connection, [topics.predictions], {}) as reader:
        deadline, answers = monotonic() + TIMEOUT_SECONDS, []
        while len(answers) < 2 and monotonic() < deadline:
            answers += [one for one in reader.poll(0.2) if one.header("ce_causationid")]

    # The second is a duplicate; both models of the route answer the first.
    found = [
        from_kafka(KafkaMessage(dict(one.headers), one.key, one.value), JSONFormat())
        for one in answers
    ]
    assert {one.get_source() for one in found} == {
        f"/modstream/models/{name}/versions/1" for name in ("bugs", "shadow")
    }
    assert {one.get_extension("causationid") for one in found} == {event.get_id()}
    assert {one.get_data()["id"] for one in found} == {event.get_id()}


def test_the_topics_are_described_by_an_asyncapi_document(gateways):
    found = gateways.call("GET", "/asyncapi.json").json()

    requests = found["channels"]["requests"]
    assert requests["address"] == f"{gateways.system.settings.prefix}{{stream}}.requests"
    assert requests["parameters"]["stream"]["enum"] == ["bugs"]


def test_a_label_joins_the_prediction_of_its_request_id_and_key(gateways):
    request = gateways.predict(fields={"key": "customer-7"}).json()
    label = {"id": request["request_id"], "key": "customer-7", "label": True}
    answer = gateways.call("POST", "/v1/streams/bugs/labels", 1, json=label)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    deadline, models = monotonic() + TIMEOUT_SECONDS, []
    # The answer of the second model comes in feedback of its own if the label arrives before it.
    while sorted(models) != ["bugs", "shadow"]:
        assert monotonic() < deadline
        found = feedback_of(gateways, b"customer-7")
        models = [answer.model for one in found for answer in one.predictions]
    assert {one.id for one in found} == {request["request_id"]}
    assert [one.features for one in found if one.features is not None] == [ROW]


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({"features": {"x0": 1.0}}, 400, "x1"),
        ({"features": {"x0": "one", "x1": 0.0}}, 400, "x0"),
        ({"features": 3}, 400, "features"),
        ({"rows": []}, 400, "rows"),
        ({"model": "nobody"}, 404, "nobody"),
        ({"model": "not a name"}, 400, "model"),
        ({"version": 99}, 404, "99"),
    ],
)
def test_a_wrong_request_is_refused_in_json_and_the_connection_stays_usable(
    gateways, fields, status, text
):
    fields = fields if "version" not in fields else {"model": "bugs", **fields}
    with httpx.Client(base_url=gateways.urls[0], timeout=60) as client:
        answer = client.post("/v1/streams/bugs/predict", json={"features": ROW} | fields)
        assert answer.status_code == status
        assert text in answer.json()["error"]
        assert client.post("/v1/streams/bugs/predict", json={"features": ROW}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/streams/elsewhere/predict", 404),
        ("GET", "/v1/streams/bugs/predict", 405),
        ("GET", "/nowhere", 404),
        ("GET", "/v2/models/nobody", 404),
        ("GET", "/v2/requests/nonsense", 404),
        ("POST", "/v2/repository/models/bugs/load", 501),
        ("GET", "/v1/predictions/bugs/key", 404),
    ],
)
def test_what_is_not_there_is_said_in_json(gateways, method, path, status):
    answer = gateways.call(method, path, json={"features": ROW} if method == "POST" else None)
    assert answer.status_code == status
    assert answer.json()["error"]


class Answer(NamedTuple):
    status: int
    body: bytes


def call_all(urls, document, headers=None):
    """Send the same call REPEATED times, to the URLs in turn, over 64 connections each."""

    async def run():
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit_per_host=64)) as http:

            async def call(url):
                async with http.post(url, json=document, headers=headers) as answer:
                    return Answer(answer.status, await answer.read())

            return await asyncio.gather(*(call(urls[n % len(urls)]) for n in range(REPEATED)))

    return asyncio.run(run())


def test_repeated_protocol_ids_are_all_answered(gateways):
    url = f"{gateways.urls[0]}/v2/models/bugs/infer"
    answers = call_all([url], {"id": "1", "inputs": [TENSOR]})
    assert {answer.status for answer in answers} == {200}
    documents = [json.loads(answer.body) for answer in answers]
    assert {one["id"] for one in documents} == {"1"}
    assert len({one["parameters"]["request_id"] for one in documents}) == REPEATED


def test_an_idempotency_key_makes_one_record_and_equal_answers_from_both_gateways(gateways):
    before = len(requests_of(gateways))
    headers = {"Idempotency-Key": f"order-{uuid.uuid4().hex}"}
    urls = [f"{url}/v1/streams/bugs/predict" for url in gateways.urls]
    answers = call_all(urls, {"features": ROW}, headers)
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert json.loads(answers[0].body)["request_id"] == headers["Idempotency-Key"]
    assert len(requests_of(gateways)) == before + 1

    other = gateways.predict(fields={"features": {"x0": 1.0, "x1": 1.0}}, headers=headers)
    assert other.status_code == 409


def test_a_ticket_is_redeemed_at_the_other_gateway_after_the_first_one_was_killed(gateways):
    headers = {"Prefer": "respond-async"}
    tickets = [gateways.predict(1, headers=headers) for _ in range(50)]
    assert {one.status_code for one in tickets} == {202}
    gateways.signal("gateway-1", signal.SIGKILL)
    deadline = monotonic() + 2
    for one in tickets:
        path = one.headers["location"]
        answer = gateways.call("GET", path, headers={"Prefer": "wait=30"})
        assert answer.status_code == 200
        assert answer.json()["request_id"] == one.json()["request_id"]
    assert monotonic() < deadline + TIMEOUT_SECONDS
    gateways.wait_ready(1)


def test_a_ticket_is_followed_by_server_sent_events(gateways):
    ticket = gateways.predict(headers={"Prefer": "respond-async"}).json()["ticket"]
    answer = gateways.call("GET", f"/v2/requests/{ticket}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    event, data = answer.text.strip().splitlines()[-2:]
    assert event == "event: prediction"
    assert json.loads(data.removeprefix("data: "))["model"] == "bugs"


def test_a_caller_that_waits_too_briefly_gets_504_and_a_place_to_look(gateways):
    gateways.signal("worker", signal.SIGSTOP)
    try:
        answer = gateways.predict(headers={"Prefer": "respond-async, wait=0.2"})
        assert answer.status_code == 202
        late = gateways.predict(headers={"Prefer": "wait=0.2"})
    finally:
        gateways.signal("worker", signal.SIGCONT)
    assert late.status_code == 504
    assert decode_ticket(late.headers["location"].rpartition("/")[2]).sent_at <= time() * 1000
    wait = {"Prefer": "wait=60"}
    refused = gateways.call("GET", late.headers["location"], headers=wait)
    assert (refused.status_code, refused.json()["code"]) == (504, "deadline_exceeded")
    found = gateways.call("GET", answer.headers["location"], headers=wait)
    assert found.status_code == 200


def test_metadata_names_the_inputs_the_outputs_and_the_versions(gateways):
    found = gateways.call("GET", "/v2/models/bugs/versions/1").json()
    assert found["versions"] == ["1"]
    assert [one["name"] for one in found["inputs"]] == ["x0", "x1"]
    assert found["outputs"] == [{"name": "probability", "datatype": "FP64", "shape": [-1]}]
    assert gateways.call("GET", "/v2/models/bugs/ready").json() == {"name": "bugs", "ready": True}
    index = gateways.call("POST", "/v2/repository/index").json()
    assert {one["name"] for one in index} == {"bugs", "shadow"}


def test_a_stream_without_a_worker_is_refused_at_once(gateways, tmp_path):
    stream = f"s{uuid.uuid4().hex[:8]}"
    deserted = with_route(gateways.system, stream, stream=stream)
    deserted.create_topics()
    port = str(free_port())
    deserted.start("gateway-alone", "gateway", "--port", port, "--grpc-port", "-1")
    url = f"http://127.0.0.1:{port}"
    deadline = monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            assert httpx.get(f"{url}/v2/health/live").json() == {"live": True}
            break
        except httpx.TransportError:
            assert monotonic() < deadline
    answer = httpx.post(f"{url}/v1/streams/{stream}/predict", json={"features": ROW})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "no worker" in answer.json()["error"]
    assert answer.elapsed.total_seconds() < GatewaySettings().timeout
    ready = httpx.get(f"{url}/v2/health/ready")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
