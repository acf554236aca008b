"""What a learner says of its versions, and what must be told before one is published."""

from types import SimpleNamespace

import pytest

from modstream.broker.errors import DeliveryFailed, DeliveryPending
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import ModelEvent
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.models.registry.registry import Registry, RegistrySettings
from modstream.models.security.signing import Trust
from modstream.models.serving.loader import fetch
from modstream.processors.learn.learner import Learner
from modstream.services.version_publisher import Press
from tests.models.constant_model import publish

pytestmark = pytest.mark.real


@pytest.mark.parametrize(("champion", "told"), [(2, "champion"), (1, None)])
def test_the_version_is_told_of_again_with_the_alias_that_it_has(redis_url, prefix, champion, told):
    sent = []
    with Registry(redis_url, RegistrySettings(prefix=prefix)) as registry:
        publish(registry, 1)
        card = publish(registry, 2)
        registry.promote("flights", champion)
        learner, publisher = SimpleNamespace(card=card), SimpleNamespace(send=sent.append)

        Press(registry, publisher, learner, Topics("s")).announce_again()

    (outgoing,) = sent
    event = decode(ModelEvent, Record(outgoing.topic, 0, 0, outgoing.key, outgoing.value).value)
    assert (event.version, event.alias, outgoing.key) == (2, told, b"flights/2")


class Stubborn(list):
    """A publisher whose flush fails as it is told to."""

    fault = None

    def send(self, outgoing):
        self.append(outgoing)

    def flush(self, timeout):
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def press(redis_url, prefix):
    """A learner's, that has read on since its version."""
    with Registry(redis_url, RegistrySettings(prefix=prefix)) as registry:
        card = publish(registry, 1)
        runtime = fetch(registry, Trust(), card, 1)
        learner = Learner(card, runtime, Topics("s"), offsets={"s.feedback:0": 7})
        yield Press(registry, Stubborn(), learner, Topics("s"))


def newest(press):
    return press.registry.newest("flights").version


def test_no_version_is_published_while_a_row_that_it_covers_is_on_its_way_to_quarantine(press):
    press.publisher.fault = DeliveryPending("s.quarantine", "a drill")

    assert not press.publish()
    assert newest(press) == 1
    assert press.is_behind()

    press.publisher.fault = None
    assert press.publish()
    assert newest(press) == 2


def test_a_learner_ends_when_the_client_gives_a_refused_row_up(press):
    press.publisher.fault = DeliveryFailed("s.quarantine", "a drill")

    with pytest.raises(DeliveryFailed):
        press.publish()

    assert newest(press) == 1, "the next start reads the row again"


def test_a_row_that_the_cluster_will_never_take_does_not_end_the_learner(press):
    press.publisher.fault = DeliveryFailed("s.quarantine", "too large", refused=True)

    assert press.publish()
    assert newest(press) == 2
