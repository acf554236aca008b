"""Pending requests: each gets its own responses in time, or a typed error."""

from threading import Thread

import pytest

from modstream.broker.errors import BrokerUnavailable
from modstream.broker.wire.contracts import ErrorResponse, Prediction, SourcePosition
from modstream.broker.wire.records import Record
from modstream.producers.client.pending_requests import (
    PendingRequest,
    PendingRequests,
    RecordMetadata,
)
from modstream.producers.errors import RequestNotSent, ResponseTimeout

SOURCE = SourcePosition(topic="flights.requests", partition=0, offset=0)


def predicted(request_id: str, model: str, score: float = 0.5) -> Prediction:
    return Prediction(
        id=request_id, model=model, version=1, outputs={"score": score}, source=SOURCE
    )


def refused(request_id: str, model: str | None = None) -> ErrorResponse:
    return ErrorResponse(
        id=request_id, code="missing_feature", message="no dest", model=model, source=SOURCE
    )


def stored(*responses):
    """Return responses with the records that they arrive in, one after the other."""
    return [
        (response, Record("flights.predictions", 3, number, b"k", b"", timestamp=1_000 + number))
        for number, response in enumerate(responses)
    ]


@pytest.fixture
def requests():
    return PendingRequests(max_pending=3)


@pytest.fixture
def pending(requests):
    pending = PendingRequest("r-1", "r-1")
    requests.add(pending)
    return pending


def test_wait_returns_a_response_that_arrived_before_the_wait(requests, pending):
    requests.add_responses(stored(predicted("r-1", "online")))

    assert requests.wait(pending, [None], 0) == [predicted("r-1", "online")]


def test_a_waiting_thread_is_woken_by_its_response(requests, pending):
    other_thread = Thread(target=requests.add_responses, args=(stored(predicted("r-1", "online")),))

    other_thread.start()
    found = requests.wait(pending, ["online"], 5)
    other_thread.join()

    assert found == [predicted("r-1", "online")]


def test_wait_returns_the_response_of_the_named_model_although_another_model_is_faster(
    requests, pending
):
    requests.add_responses(stored(predicted("r-1", "frozen"), predicted("r-1", "online")))

    assert requests.wait(pending, ["online"], 0) == [predicted("r-1", "online")]
    assert requests.wait(pending, ["online", "frozen"], 0) == [
        predicted("r-1", "online"),
        predicted("r-1", "frozen"),
    ]


def test_the_first_response_of_a_model_counts(requests, pending):
    requests.add_responses(stored(predicted("r-1", "online", 0.1), predicted("r-1", "online", 0.9)))

    assert requests.wait(pending, ["online"], 0) == [predicted("r-1", "online", 0.1)]


def test_the_positions_of_request_and_responses_are_kept(requests, pending):
    requests.mark_sent("r-1", Record("flights.requests", 3, 7, b"k", b"{}", timestamp=999))
    requests.add_responses(stored(predicted("r-1", "online", 0.1), predicted("r-1", "online", 0.9)))

    assert pending.record == RecordMetadata("flights.requests", 3, 7, 999)
    arrival = pending.arrivals["online"]
    assert arrival.record == RecordMetadata("flights.predictions", 3, 0, 1000), "of the first one"
    assert pending.sent_at <= arrival.received_at


def test_an_error_without_a_model_is_the_response_of_all_models(requests, pending):
    requests.add_responses(stored(refused("r-1")))

    assert requests.wait(pending, ["online", "frozen"], 0) == [refused("r-1"), refused("r-1")]


def test_a_timeout_names_the_request_and_the_seconds(requests, pending):
    requests.add_responses(stored(predicted("r-1", "frozen")))

    with pytest.raises(ResponseTimeout, match=r"r-1 within 0\.01 s") as caught:
        requests.wait(pending, ["online"], 0.01)

    assert (caught.value.request_id, caught.value.seconds) == ("r-1", 0.01)


def test_waiting_for_a_request_that_was_not_sent_fails_at_once(requests, pending):
    requests.mark_not_sent("r-1", "the queue is gone")

    with pytest.raises(RequestNotSent, match="the queue is gone"):
        requests.wait(pending, [None], 60)


def test_an_error_in_reading_responses_is_raised_in_every_wait(requests, pending):
    requests.fail_all(BrokerUnavailable("here:1", "gone"))

    with pytest.raises(BrokerUnavailable, match="gone"):
        requests.wait(pending, [None], 60)


def test_responses_to_unknown_requests_are_dropped(requests, pending):
    requests.add_responses(stored(*(predicted(f"foreign-{n}", "online") for n in range(1000))))

    assert list(requests._by_id) == ["r-1"]
    assert pending.responses == {}


def test_the_oldest_request_is_removed_when_there_are_too_many(requests, pending):
    requests.add_responses(stored(predicted("r-1", "online")))
    for number in range(2, 5):
        requests.add(PendingRequest(f"r-{number}", "k"))
    requests.add_responses(stored(predicted("r-1", "frozen"), predicted("r-4", "online")))

    assert list(requests._by_id) == ["r-2", "r-3", "r-4"]
    assert set(pending.responses) == {"online"}, "its responses are kept, no further ones are added"
