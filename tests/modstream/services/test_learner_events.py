"""The events of a learner's versions, and what must be acknowledged before one is published."""

from types import SimpleNamespace

import pytest

from modstream.broker.errors import DeliveryFailed, DeliveryPending
from modstream.broker.wire.codec import decode
from modstream.broker.wire.model_contracts import ModelEvent
from modstream.broker.wire.topics import Topics
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.refs import CHAMPION
from modstream.models.registry.registry import Registry
from modstream.models.security.signing import Trust
from modstream.models.serving.loader import load_version
from modstream.processors.learn.learner import Learner
from modstream.services.version_publisher import VersionPublisher
from tests.models.constant_model import publish_constant

pytestmark = pytest.mark.real


@pytest.mark.parametrize(("champion", "alias"), [(2, CHAMPION), (1, None)])
def test_the_version_resumed_from_is_announced_with_its_present_alias(
    redis_url, prefix, champion, alias
):
    sent = []
    with Registry(redis_url, RegistrySettings(prefix=prefix)) as registry:
        publish_constant(registry, 1)
        card = publish_constant(registry, 2)
        registry.promote("flights", champion)
        learner, producer = SimpleNamespace(card=card), SimpleNamespace(send=sent.append)

        VersionPublisher(registry, producer, learner, Topics("s")).announce_resumed(CHAMPION)

    (record,) = sent
    event = decode(ModelEvent, record.value)
    assert (event.version, event.alias, record.key) == (2, alias, b"flights/2")


class FailingProducer(list):
    """A producer whose flush raises `error` if it is set."""

    error = None

    def send(self, record):
        self.append(record)

    def flush(self, timeout):
        if self.error is not None:
            raise self.error


@pytest.fixture
def producer():
    return FailingProducer()


@pytest.fixture
def publisher(redis_url, prefix, producer):
    """The publisher of a learner that has read feedback since its version."""
    with Registry(redis_url, RegistrySettings(prefix=prefix)) as registry:
        card = publish_constant(registry, 1)
        runtime = load_version(registry, Trust(), card, 1)
        learner = Learner(card, runtime, Topics("s"), offsets={"s.feedback:0": 7})
        yield VersionPublisher(registry, producer, learner, Topics("s"))


def newest_version(publisher):
    return publisher.registry.newest("flights").version


def test_no_version_is_published_before_its_quarantine_records_are_acknowledged(
    publisher, producer
):
    producer.error = DeliveryPending("s.quarantine", "a drill")

    assert not publisher.publish()
    assert newest_version(publisher) == 1
    assert publisher.is_behind()

    producer.error = None
    assert publisher.publish()
    assert newest_version(publisher) == 2


def test_a_learner_stops_if_the_producer_gives_up_a_quarantine_record(publisher, producer):
    producer.error = DeliveryFailed("s.quarantine", "a drill")

    with pytest.raises(DeliveryFailed):
        publisher.publish()

    assert newest_version(publisher) == 1, "the next start reads the row again"


def test_a_quarantine_record_that_kafka_rejects_does_not_stop_the_learner(publisher, producer):
    producer.error = DeliveryFailed("s.quarantine", "too large", is_rejected=True)

    assert publisher.publish()
    assert newest_version(publisher) == 2
