"""Calls that are CloudEvents: how they are read, and the responses to them."""

import json

import pytest
from cloudevents.core.bindings.http import (
    HTTPMessage,
    from_http_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.v1.event import CloudEvent
from starlette.requests import Request

from modstream.producers.gateway.errors import InvalidCall, UnsupportedEncoding
from modstream.producers.gateway.http.answers import error_response, json_response
from modstream.producers.gateway.http.event_calls import EVENT, event_response, read_event

ROW = {"x0": 0.5}
ATTRIBUTES = {"id": 'ümlaut "1" 100%', "source": "/shop", "type": "order.placed"}
ANSWER = {"id": "mine", "request_id": "r-1", "model": "iris", "version": 3, "outputs": {"y": 1.0}}
MODES = pytest.mark.parametrize("write", [to_binary_event, to_structured_event])
BINARY = {"ce-specversion": "1.0", "ce-id": "e", "ce-source": "/s", "ce-type": "t"}


def call(headers):
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    path = {"stream": "flights"}
    return Request({"type": "http", "headers": pairs, "path_params": path})


def sent(write, data, **attributes):
    """Return the call and the body of an event that the SDK has written."""
    message = write(CloudEvent({**ATTRIBUTES, **attributes}, data))
    return call(message.headers), message.body


def received(response):
    return from_http_event(HTTPMessage(dict(response.headers), bytes(response.body)))


def test_other_calls_are_read_as_they_are():
    request = call({"content-type": "application/json", "ce-color": "red"})

    assert read_event(request, b"anything") == b"anything"
    assert EVENT not in request.scope


@MODES
@pytest.mark.parametrize("data", [ROW, {"features": ROW}, {"features": ROW, "id": ""}])
def test_the_data_of_an_event_are_a_request_or_a_row(write, data):
    request, body = sent(write, data)

    assert json.loads(read_event(request, body)) == {"id": ATTRIBUTES["id"], "features": ROW}


@MODES
def test_an_answer_has_the_mode_of_its_event(write):
    request, body = sent(write, ROW, correlationid="order/7 €")
    read_event(request, body)

    response = event_response(request.scope[EVENT], json_response(ANSWER, headers={"x": "y"}))

    found = received(response)
    assert found.get_data() == ANSWER
    assert (found.get_id(), found.get_source()) == ("r-1", "/modstream/models/iris/versions/3")
    assert found.get_type() == "modstream.prediction"
    assert found.get_extension("causationid") == ATTRIBUTES["id"]
    assert found.get_extension("correlationid") == "order/7 €"
    assert (response.status_code, response.headers["x"]) == (200, "y")


@MODES
def test_an_error_keeps_its_status(write):
    request, body = sent(write, ROW)
    read_event(request, body)
    refusal = error_response(503, "unavailable", "no worker", headers={"Retry-After": "1"})

    response = event_response(request.scope[EVENT], refusal)

    found = received(response)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert (found.get_type(), found.get_source()) == (
        *("modstream.error", "/modstream/streams/flights"),
    )
    assert found.get_data() == {"error": "no worker", "code": "unavailable"}


def test_a_ticket_is_no_event():
    request = call(BINARY)
    read_event(request, b"{}")
    ticket = json_response({"status": "pending"}, 202)

    assert event_response(request.scope[EVENT], ticket) is ticket


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("value", [None, "", "%FF"])
def test_an_event_that_lacks_an_attribute_is_refused(name, value):
    headers = {one: BINARY[one] for one in BINARY if one != name}
    headers |= {} if value is None else {name: value}
    if value == "%FF" and name != "ce-specversion":
        assert read_event(call(headers), b"{}")
        return

    with pytest.raises(InvalidCall, match="not a valid CloudEvent"):
        read_event(call(headers), b"{}")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"specversion": "1.0"}']
    + [json.dumps({**ATTRIBUTES, "specversion": version}).encode() for version in ("0.3", "1.0")]
    + [json.dumps({**ATTRIBUTES, "specversion": "1.0", "data_base64": 7}).encode()],
    ids=lambda body: str(body)[:30],
)
def test_a_structured_event_that_cannot_be_read_is_refused(body):
    with pytest.raises(InvalidCall):
        read_event(call({"content-type": "application/cloudevents+json"}), body)


@pytest.mark.parametrize("media_type", ["cloudevents-batch+json", "cloudevents+xml", "cloudevents"])
def test_other_formats_are_refused_with_the_reason(media_type):
    with pytest.raises(UnsupportedEncoding, match=r"batch|not supported"):
        read_event(call({**BINARY, "content-type": f"application/{media_type}"}), b"{}")
