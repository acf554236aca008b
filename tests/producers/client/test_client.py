"""The client: every ticket gets its own answer, in time or a typed error."""

from threading import Thread
from time import monotonic

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import read_to_end
from modstream.broker.errors import BrokerUnavailable, TopicMissing
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import ErrorAnswer, Label, Prediction, Source
from modstream.producers.client.client import Client
from modstream.producers.client.pending_requests import Answers, Ticket
from modstream.producers.errors import NoAnswer, NotSent, Refused

HERE = Source(topic="flights.requests", partition=0, offset=0)
ROW = {"distance": 1400.0, "carrier": "UA"}


def said(request_id: str, model: str, score: float = 0.5) -> Prediction:
    return Prediction(id=request_id, model=model, version=1, outputs={"score": score}, source=HERE)


def refused(request_id: str, model: str | None = None) -> ErrorAnswer:
    return ErrorAnswer(
        id=request_id, code="missing_feature", message="no dest", model=model, source=HERE
    )


@pytest.fixture
def answers():
    return Answers(most_open=3)


@pytest.fixture
def ticket(answers):
    ticket = Ticket("r-1", "r-1")
    answers.open(ticket)
    return ticket


def test_an_answer_that_came_before_the_wait_is_there(answers, ticket):
    answers.deliver([said("r-1", "online")])

    assert answers.wait(ticket, [None], 0) == [said("r-1", "online")]


def test_a_waiting_thread_is_woken_by_its_answer(answers, ticket):
    later = Thread(target=answers.deliver, args=([said("r-1", "online")],))

    later.start()
    found = answers.wait(ticket, ["online"], 5)
    later.join()

    assert found == [said("r-1", "online")]


def test_the_named_model_is_waited_for_though_another_answers_first(answers, ticket):
    answers.deliver([said("r-1", "frozen"), said("r-1", "online")])

    assert answers.wait(ticket, ["online"], 0) == [said("r-1", "online")]
    assert answers.wait(ticket, ["online", "frozen"], 0) == [
        said("r-1", "online"),
        said("r-1", "frozen"),
    ]


def test_the_first_answer_of_a_model_counts(answers, ticket):
    answers.deliver([said("r-1", "online", 0.1), said("r-1", "online", 0.9)])

    assert answers.wait(ticket, ["online"], 0) == [said("r-1", "online", 0.1)]


def test_an_error_without_a_model_answers_for_all(answers, ticket):
    answers.deliver([refused("r-1")])

    assert answers.wait(ticket, ["online", "frozen"], 0) == [refused("r-1"), refused("r-1")]


def test_no_answer_in_time_says_whose_and_how_long(answers, ticket):
    answers.deliver([said("r-1", "frozen")])

    with pytest.raises(NoAnswer, match=r"r-1 within 0\.01 s") as caught:
        answers.wait(ticket, ["online"], 0.01)

    assert (caught.value.request_id, caught.value.seconds) == ("r-1", 0.01)


def test_a_request_that_was_not_sent_fails_at_once(answers, ticket):
    answers.fail("r-1", "the queue is gone")

    with pytest.raises(NotSent, match="the queue is gone"):
        answers.wait(ticket, [None], 60)


def test_when_answers_cannot_be_read_any_more_everybody_is_told(answers, ticket):
    answers.fail_all(BrokerUnavailable("here:1", "gone"))

    with pytest.raises(BrokerUnavailable, match="gone"):
        answers.wait(ticket, [None], 60)


def test_answers_nobody_asked_for_are_not_kept(answers, ticket):
    answers.deliver([said(f"foreign-{n}", "online") for n in range(1000)])

    assert list(answers._open) == ["r-1"]
    assert ticket.answers == {}


def test_the_oldest_ticket_is_closed_when_there_are_too_many(answers, ticket):
    answers.deliver([said("r-1", "online")])
    for number in range(2, 5):
        answers.open(Ticket(f"r-{number}", "k"))
    answers.deliver([said("r-1", "frozen"), said("r-4", "online")])

    assert list(answers._open) == ["r-2", "r-3", "r-4"]
    assert set(ticket.answers) == {"online"}, "what it had is kept, nothing more comes"


@pytest.fixture
def connection(bootstrap, topics):
    connection = Connection(bootstrap)
    Admin(connection).create(topics.specs(4))
    return connection


@pytest.fixture
def route(connection, topics, answering_kafka):
    """A stream that two models answer."""
    with answering_kafka(topics, "frozen", "online"):
        yield


@pytest.mark.real
def test_a_request_sent_at_once_gets_its_prediction(connection, topics, route):
    with Client(connection, topics) as client:
        prediction = client.wait(client.send(ROW))

    assert prediction.outputs == {"score": 0.5}


@pytest.mark.real
def test_the_primary_models_answer_is_the_one_that_counts(connection, topics, route):
    with Client(connection, topics, primary="online") as client:
        unnamed = client.wait(client.send(ROW, id="r-1"))
        named = client.wait(client.send(ROW, id="r-2", model="frozen", version=1))

    assert (unnamed.id, unnamed.model) == ("r-1", "online")
    assert (named.id, named.model) == ("r-2", "frozen")


@pytest.mark.real
def test_all_models_of_a_route_can_be_waited_for(connection, topics, route):
    with Client(connection, topics) as client:
        found = client.wait_all(client.send(ROW), ["online", "frozen"])

    assert {name: answer.model for name, answer in found.items()} == {
        "online": "online",
        "frozen": "frozen",
    }


@pytest.mark.real
def test_five_hundred_requests_in_flight_each_get_their_own_answer(connection, topics, route):
    with Client(connection, topics, primary="online") as client:
        tickets = [client.send(ROW, key=f"key-{n % 7}") for n in range(500)]
        answered = [client.wait(ticket).id for ticket in tickets]

    assert answered == [ticket.id for ticket in tickets]


@pytest.mark.real
def test_a_refusal_is_raised_with_its_code(connection, topics, route):
    with Client(connection, topics) as client, pytest.raises(Refused, match="refuse") as caught:
        client.wait(client.send(ROW, model="refuse"))

    assert caught.value.code == "unknown_model"


@pytest.mark.real
def test_a_stream_that_nobody_answers_times_out(connection, topics):
    with Client(connection, topics) as client:
        began = monotonic()
        with pytest.raises(NoAnswer):
            client.wait(client.send(ROW), timeout=0.3)

    assert monotonic() - began < 5


@pytest.mark.real
def test_a_label_lies_under_the_key_of_its_request(connection, topics):
    with Client(connection, topics) as client:
        ticket = client.send(ROW, id="r-1", key="UA-1")
        client.label(ticket, value=True, event_time=42)
        client.label("r-2", value=False, event_time=43)
        client.label("r-3", value=False, event_time=44, key="UA-3")
        client.flush()

    labels = {r.key: decode(Label, r.value) for r in read_to_end(connection, [topics.labels])}
    assert labels == {
        b"UA-1": Label(id="r-1", label=True, event_time=42),
        b"r-2": Label(id="r-2", label=False, event_time=43),
        b"UA-3": Label(id="r-3", label=False, event_time=44),
    }


@pytest.mark.real
def test_a_client_of_a_stream_without_topics_says_so(bootstrap, topics):
    with pytest.raises(TopicMissing, match=topics.predictions):
        Client(Connection(bootstrap), topics)
