"""Events in, results out: every kind of event that a function knows, and what becomes of others."""

import json
from base64 import b64encode
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modstream.errors import UnknownEvent
from modstream.processors.errors import ModelUnavailable
from modstream.serverless import http_events, results
from modstream.serverless.entry import Function
from tests.modstream.serverless.conftest import EVENTS, GivenContainer, store_constant

KINDS = sorted(path.stem for path in (EVENTS.parent / "results").glob("*.json"))
CONTEXT = SimpleNamespace(aws_request_id="c6af9ac6-7b61-11e6-9a41-93e8deadbeef")
ROW = {"features": {"distance": 529}}


def http(body, method="POST", path="/predict", headers=None, **more):
    """Return an event of an HTTP API."""
    text = body if isinstance(body, str) or body is None else json.dumps(body)
    context = {"requestId": "r-1", "http": {"method": method, "path": path}}
    event = {"version": "2.0", "rawPath": path, "headers": headers or {}, "body": text}
    return {**event, "requestContext": context, "isBase64Encoded": False, **more}


def body_of(response):
    return json.loads(response["body"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_event_has_the_result_that_its_source_expects(function, read_event, kind):
    expected = json.loads((EVENTS.parent / "results" / f"{kind}.json").read_text())

    assert function(read_event(kind), CONTEXT) == expected


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"Records": [{"EventSource": "aws:sns"}]}, "records of aws:sns"),
        ({"Records": [{"eventSource": "aws:kinesis"}]}, "records of aws:kinesis"),
        ({"detail-type": "x", "detail": {}}, "the fields detail-type, detail"),
        ([1], "a list"),
        ({"Records": ["x"]}, "the fields Records"),
        ({"eventSource": "aws:kafka"}, "a Kafka event cannot be read: no 'records'"),
        ({"eventSource": "aws:kafka", "records": {"t-0": [{"topic": "t"}]}}, "no 'partition'"),
        ({"Records": [{"eventSource": "aws:sqs"}]}, "an SQS event cannot be read: no 'messageId'"),
        ({"requestContext": {}}, "an HTTP event cannot be read: no 'httpMethod'"),
    ],
)
def test_an_event_of_another_form_fails_with_what_is_known(function, event, words):
    """A result instead of a failure would tell the source that the event was handled."""
    with pytest.raises(UnknownEvent, match=words):
        function(event, CONTEXT)


@pytest.mark.parametrize(
    ("event", "status", "code"),
    [
        (http("not JSON"), 400, "not_json"),
        (http(None), 400, "not_json"),
        (http("[1]"), 400, "contract_violated"),
        (http({}), 400, "contract_violated"),
        (http({"features": {}}), 400, "missing_feature"),
        (http({"features": {"distance": "far"}}), 400, "wrong_type"),
        (http("[" * 100_000), 400, "not_json"),
        (http("é", isBase64Encoded=True), 400, "not_json"),
        (http(b64encode(b"\xff{}").decode(), isBase64Encoded=True), 400, "not_json"),
        (http(ROW, headers={"Content-Encoding": "gzip"}), 400, "not_json"),
        (http(ROW, headers={"Deadline": "soon"}), 400, "invalid_deadline"),
        (http(ROW, headers={"Deadline": "1"}), 504, "deadline_exceeded"),
        (http(ROW | {"model": "trains"}), 404, "unknown_model"),
        (http(ROW | {"version": 2}), 404, "unknown_model"),
        (http(ROW | {"version": "challenger"}), 404, "unknown_model"),
        (http(ROW, path="/v2/models/flights/versions/2/infer"), 404, "unknown_model"),
        (http("x" * (1024 * 1024 + 1)), 413, "too_large"),
        (http(ROW, "GET"), 405, "invalid_call"),
    ],
)
def test_a_call_that_cannot_be_answered_gets_an_error_in_json(function, event, status, code):
    response = function(event, CONTEXT)

    assert (response["statusCode"], body_of(response)["code"]) == (status, code)
    assert body_of(response)["error"]
    assert response["headers"]["content-type"] == "application/json"


@pytest.mark.parametrize("version", [1, "champion"])
def test_the_version_answers_under_its_number_and_as_the_champion(function, version):
    assert function(http(ROW | {"version": version}))["statusCode"] == 200


def test_an_empty_id_gets_that_of_the_call(function):
    assert body_of(function(http(ROW | {"id": ""})))["id"] == "r-1"


def test_records_are_retried_from_the_first_of_each_partition_if_the_version_is_missing(
    unavailable, read_event
):
    result = unavailable(read_event("msk"), CONTEXT)

    assert result == {
        "batchItemFailures": [
            {"itemIdentifier": {"partition": "flights.requests-0", "offset": 15}},
            {"itemIdentifier": {"partition": "flights.requests-3", "offset": 7}},
        ]
    }


@pytest.mark.parametrize("kind", ["sqs", "sqs_fifo"])
def test_all_messages_are_retried_if_the_version_is_missing(unavailable, read_event, kind):
    event = read_event(kind)

    result = unavailable(event, CONTEXT)

    identifiers = [failure["itemIdentifier"] for failure in result["batchItemFailures"]]
    assert identifiers == [message["messageId"] for message in event["Records"]]
    assert result.keys() == {"batchItemFailures"}


@pytest.mark.parametrize(
    "kind", ["http_api_row", "rest_api", "cloud_event_binary_http", "cloud_event_batch_http"]
)
def test_a_caller_learns_when_to_ask_again_if_the_version_is_missing(unavailable, read_event, kind):
    response = unavailable(read_event(kind), CONTEXT)

    assert (response["statusCode"], response["headers"]["retry-after"]) == (503, "1")
    assert "registry is not available" in response["body"]


def test_readiness_is_that_of_the_version(unavailable, function, read_event):
    assert unavailable(read_event("http_api_health"), CONTEXT)["statusCode"] == 503
    assert unavailable(http(None, "GET", "/v2/health/live"), CONTEXT)["statusCode"] == 200


@pytest.mark.parametrize("kind", ["cloud_event", "request"])
def test_an_invocation_fails_if_the_version_is_missing(unavailable, read_event, kind):
    with pytest.raises(ModelUnavailable, match="registry is not available"):
        unavailable(read_event(kind), CONTEXT)


def test_a_version_that_could_not_be_loaded_is_loaded_by_a_later_call(given_settings):
    serverless = replace(given_settings.serverless, version="2")
    changed = given_settings.model_copy(update={"serverless": serverless})
    function = Function(GivenContainer(changed))
    function.prepare()
    assert function(http(ROW))["statusCode"] == 503

    store_constant(given_settings, 2)

    assert body_of(function(http(ROW)))["version"] == 2


def test_a_version_that_no_trusted_key_has_signed_does_not_answer(given_settings):
    stranger = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    changed = given_settings.model_copy(update={"trusted_keys": (stranger,)})
    function = Function(GivenContainer(changed))

    response = function(http(ROW))

    assert (response["statusCode"], body_of(response)["code"]) == (503, "model_unavailable")
    assert "not trusted" in body_of(response)["error"]


def test_answers_that_lambda_would_refuse_are_left_out_of_the_result(
    function, read_event, monkeypatch
):
    monkeypatch.setattr(results, "MAX_RESPONSE_BYTES", 100)

    assert function(read_event("sqs"), CONTEXT) == {"batchItemFailures": [], "responses_omitted": 4}


def test_the_answer_to_an_http_call_that_lambda_would_refuse_is_an_error(function, monkeypatch):
    monkeypatch.setattr(http_events, "MAX_RESPONSE_BYTES", 500)

    response = function(http({"features": [{"distance": number} for number in range(20)]}))

    assert (response["statusCode"], body_of(response)["code"]) == (413, "answer_too_large")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


def places(value, path=()):
    """Yield the path to every value within a JSON document."""
    yield path
    inner = value.items() if isinstance(value, dict) else ()
    for key, item in enumerate(value) if isinstance(value, list) else inner:
        yield from places(item, (*path, key))


CHANGES = st.sampled_from(
    [
        (kind, path)
        for kind in KINDS
        for path in places(json.loads((EVENTS / f"{kind}.json").read_text()))
        if path
    ]
)


@pytest.mark.slow
@settings(max_examples=150)
@given(CHANGES, JSON)
def test_an_event_with_any_part_replaced_is_answered_or_refused(shared_function, change, value):
    kind, path = change
    event = inner = json.loads((EVENTS / f"{kind}.json").read_text())
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value

    try:
        result = shared_function(event, CONTEXT)
    except UnknownEvent:
        return

    assert isinstance(json.loads(json.dumps(result)), dict)
