"""Events of models."""

from datetime import UTC, datetime
from time import time

import pytest

from modstream.broker.wire.codec import decode
from modstream.broker.wire.model_contracts import ModelEvent
from modstream.broker.wire.topics import Topics
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import InputSchema
from modstream.registry.events import model_event

CREATED = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def card():
    return ModelCard(
        name="m",
        version=3,
        runtime="onnx",
        task="regression",
        input_schema=InputSchema.of_floats(["x"]),
        sha256="0" * 64,
        size=1,
        created=CREATED,
    )


def test_a_publication_has_the_time_of_its_card(card):
    record = model_event(Topics("s"), card, "publish", alias="champion")
    assert decode(ModelEvent, record.value).at == CREATED.timestamp() * 1000


@pytest.mark.parametrize("action", ["promote", "rollback"])
def test_a_move_of_an_alias_has_the_time_of_the_move(card, action):
    before = int(time() * 1000)
    record = model_event(Topics("s"), card, action, alias="champion")
    assert before <= decode(ModelEvent, record.value).at <= time() * 1000
