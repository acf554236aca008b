"""A learner whose newest version cannot be read learns again what it had learned."""

import re
from itertools import islice
from random import Random

import numpy as np
import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Feedback, Scored
from modstream.broker.wire.records import Outgoing
from modstream.errors import NothingReadable
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import Draft
from modstream.registry.access import open_registry
from modstream.services.members import resume
from modstream.settings import load_settings
from tests.processors.small_fixtures import river

pytestmark = pytest.mark.real

SCHEMA = InputSchema.floats(["x", "y"])
ROWS = 400


@pytest.fixture
def scene(bootstrap, redis_url, prefix, tmp_path):
    settings = load_settings(
        bootstrap=bootstrap, redis=redis_url, prefix=prefix, stream="s", home=tmp_path, partitions=1
    )
    Admin(settings.connection).create(settings.specs())
    with open_registry(settings) as registry:
        yield settings, registry


def feed(settings):
    """Put rows into the feedback topic; returns them as they are read."""
    random, topics = Random(6), settings.topics()
    with Publisher(settings.connection) as publisher:
        for number in range(ROWS):
            row = {name: random.gauss(0, 1) for name in "xy"}
            told = Feedback(
                id=f"r{number}", label=sum(row.values()) > 0, features=row, event_time=0,
                predictions=(Scored(model="m", version=1, outputs={"probability": 0.5}),),
                label_time=0,
            )  # fmt: skip
            publisher.send(Outgoing(topics.feedback, b"k%d" % number, encode(told)))
        publisher.flush()
    return read_to_end(settings.connection, [topics.feedback])


def publish(registry, artifact, *, parent=None, offsets=None, learned=0):
    draft = Draft(
        name="m", runtime="river", task="binary", classes=(False, True), input_schema=SCHEMA,
        parent=parent, offsets=offsets or {}, metrics={"learned": learned},
    )  # fmt: skip
    return registry.publish(draft, artifact)


def of_another_river(artifact):
    """The same bytes, as an older River would have signed for them."""
    return re.sub(rb'"river":"[^"]*"', b'"river":"0.1.0"', artifact, count=1)


def test_it_comes_to_what_the_unreadable_version_was(scene):
    settings, registry = scene
    publish(registry, river(schema=SCHEMA).runtime.snapshot())
    learner, records = resume(settings, registry, "m").pacer, feed(settings)
    learner.absorb(list(islice(records, ROWS // 2)))
    read = publish(
        registry, learner.runtime.snapshot(), parent=1,
        offsets=learner.offsets, learned=learner.counts.learned,
    )  # fmt: skip
    learner.absorb(list(records))
    lost = publish(
        registry, of_another_river(learner.runtime.snapshot()), parent=2,
        offsets=learner.offsets, learned=ROWS,
    )  # fmt: skip

    rebuilt = resume(settings, registry, "m").pacer

    batch = SCHEMA.batch([{"x": n / 10 - 1, "y": 0.3} for n in range(20)]).batch
    assert (rebuilt.card.version, rebuilt.offsets) == (read.version, lost.offsets)
    assert rebuilt.counts.learned == ROWS
    assert np.array_equal(rebuilt.runtime.predict(batch), learner.runtime.predict(batch))


def test_without_any_version_that_can_be_read_it_says_what_to_do(scene):
    settings, registry = scene
    artifact = of_another_river(river(schema=SCHEMA).runtime.snapshot())
    publish(registry, artifact)
    publish(registry, artifact + b" ", parent=1)

    with pytest.raises(NothingReadable, match="publish the model untrained"):
        resume(settings, registry, "m")
