"""What a learner that starts anew says of the version it resumes from."""

from types import SimpleNamespace

import pytest

from broker.codec import decode
from broker.contracts import ModelEvent
from broker.names import Topics
from broker.records import Record
from models.registry import Registry, RegistrySettings
from modstream.roles.learner import Press
from tests.models.biased import publish

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
