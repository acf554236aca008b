"""Which records of a batch are answered now, and which are delivered again."""

import numpy as np
import pytest

from modstream.broker.wire.identifiers import usable_id
from modstream.broker.wire.records import Record
from modstream.models.schema.artifact import Artifact
from modstream.models.serving.loaded_models import LoadedModel
from modstream.processors.errors import ModelNotReady, UnknownModel
from modstream.serverless.answers import Answer, Asked
from modstream.serverless.batch_events import BatchItem, failures, split_answered
from modstream.serverless.responder import Responder
from tests.models.constant_model import constant_spec

LATER, NEVER = ModelNotReady("it is being loaded"), UnknownModel("flights", 9)


def item(number, sequence, identifier=None):
    asked = Asked(Record("flights.requests", 0, number, None, b"{}"), str(number))
    return BatchItem(asked, identifier or str(number), sequence)


def split(*pairs):
    """Return the numbers of the answered and of the failed items."""
    items = [item(number, sequence) for number, (sequence, _) in enumerate(pairs)]
    answers = [Answer(str(number), outcome, "flights") for number, (_, outcome) in enumerate(pairs)]
    answered, failed = split_answered(items, answers)
    numbers = [found.asked.record.offset for found, _ in answered]
    return numbers, [found.asked.record.offset for found in failed]


def test_an_error_that_stays_is_an_answer():
    assert split((None, NEVER), ("a", NEVER)) == ([0, 1], [])


def test_messages_without_order_are_retried_alone():
    assert split((None, NEVER), (None, LATER), (None, NEVER)) == ([0, 2], [1])


def test_all_after_a_failure_in_a_sequence_are_retried_and_not_answered_now():
    """They will be delivered again; an answer now would be the first of two."""
    found = split(("a", NEVER), ("b", NEVER), ("a", LATER), ("a", NEVER), ("b", NEVER))

    assert found == ([0, 1, 4], [2, 3])


def test_of_each_partition_only_the_first_failure_is_reported():
    failed = [
        item(number, partition, {"partition": partition, "offset": number})
        for number, partition in [(5, "t-0"), (6, "t-0"), (2, "t-1")]
    ]

    assert failures(failed) == {
        "batchItemFailures": [
            {"itemIdentifier": {"partition": "t-0", "offset": 5}},
            {"itemIdentifier": {"partition": "t-1", "offset": 2}},
        ]
    }


@pytest.mark.parametrize("text", ["x" * 1000, "\ud800"])
def test_a_text_that_can_be_no_id_is_replaced_by_its_digest(text):
    assert usable_id("flights.requests:0:5") == "flights.requests:0:5"
    assert len(usable_id(text)) == 64
    assert usable_id(text) == usable_id(text) != usable_id(text + "y")


class RaisingRuntime:
    """A model of a foreign library that has no answer for the distance 13."""

    name = "onnx"

    def predict(self, batch):
        if 13.0 in batch.columns["distance"]:
            raise ZeroDivisionError("thirteen")
        return np.full(batch.size, 0.5)


def test_a_request_that_breaks_the_engine_does_not_fail_its_neighbours():
    card = constant_spec("flights", 1).make_card(1, Artifact(b"x"))
    responder = Responder(LoadedModel(card, RaisingRuntime()), 1, 1000)
    rows = [b'{"features":{"distance":%d}}' % number for number in (12, 13, 14)]
    asked = [Asked(Record("t", 0, at, None, row), str(at)) for at, row in enumerate(rows)]

    answers = responder.answer(asked)

    assert [answer.code for answer in answers] == [None, "internal_error", None]
    assert "ZeroDivisionError" in answers[1].document()["error"]
    assert not answers[1].is_temporary
