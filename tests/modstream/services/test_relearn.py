"""A learner whose newest version cannot be read learns its feedback again."""

import re
from itertools import islice
from random import Random

import numpy as np
import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.broker.wire.records import ProducerRecord
from modstream.errors import NoReadableVersion
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.registry.access import open_registry
from modstream.services.candidates import resume
from modstream.settings import load_settings
from tests.processors.small_fixtures import river_model

pytestmark = pytest.mark.real

SCHEMA = InputSchema.of_floats(["x", "y"])
ROWS = 400


@pytest.fixture
def environment(bootstrap, redis_url, prefix, tmp_path):
    settings = load_settings(
        bootstrap=bootstrap, redis=redis_url, prefix=prefix, stream="s", home=tmp_path, partitions=1
    )
    Admin(settings.connection).create(settings.topic_specs())
    with open_registry(settings) as registry:
        yield settings, registry


def write_feedback(settings):
    """Write rows to the feedback topic; return an iterator that reads them."""
    random, topics = Random(6), settings.topics()
    with Publisher(settings.connection) as publisher:
        for number in range(ROWS):
            row = {name: random.gauss(0, 1) for name in "xy"}
            message = Feedback(
                id=f"r{number}", label=sum(row.values()) > 0, features=row, event_time=0,
                predictions=(JoinedPrediction(model="m", version=1, outputs={"probability": 0.5}),),
                label_time=0,
            )  # fmt: skip
            publisher.send(ProducerRecord(topics.feedback, b"k%d" % number, encode(message)))
        publisher.flush()
    return read_to_end(settings.connection, [topics.feedback])


def publish(registry, artifact, *, parent=None, offsets=None, learned=0):
    spec = VersionSpec(
        name="m", runtime="river", task="binary", classes=(False, True), input_schema=SCHEMA,
        parent=parent, offsets=offsets or {}, metrics={"learned": learned},
    )  # fmt: skip
    return registry.publish(spec, artifact)


def from_another_river(artifact):
    """Return the artifact as if an older River release had made it."""
    return re.sub(rb'"river":"[^"]*"', b'"river":"0.1.0"', artifact, count=1)


def test_a_rebuilt_learner_equals_the_unreadable_version(environment):
    settings, registry = environment
    publish(registry, river_model(schema=SCHEMA).runtime.snapshot())
    learner, records = resume(settings, registry, "m").lead, write_feedback(settings)
    learner.learn_batch(list(islice(records, ROWS // 2)))
    readable = publish(
        registry, learner.runtime.snapshot(), parent=1,
        offsets=learner.offsets, learned=learner.counts.learned,
    )  # fmt: skip
    learner.learn_batch(list(records))
    unreadable = publish(
        registry, from_another_river(learner.runtime.snapshot()), parent=2,
        offsets=learner.offsets, learned=ROWS,
    )  # fmt: skip

    rebuilt = resume(settings, registry, "m").lead

    batch = SCHEMA.parse_rows([{"x": n / 10 - 1, "y": 0.3} for n in range(20)]).batch
    assert (rebuilt.card.version, rebuilt.offsets) == (readable.version, unreadable.offsets)
    assert rebuilt.counts.learned == ROWS
    assert np.array_equal(rebuilt.runtime.predict(batch), learner.runtime.predict(batch))


def test_without_a_readable_version_the_error_says_what_to_do(environment):
    settings, registry = environment
    artifact = from_another_river(river_model(schema=SCHEMA).runtime.snapshot())
    publish(registry, artifact)
    publish(registry, artifact + b" ", parent=1)

    with pytest.raises(NoReadableVersion, match="publish the model untrained"):
        resume(settings, registry, "m")
