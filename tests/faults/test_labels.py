"""Joiner and learner are killed in the middle of their work while labels keep coming."""

import time
from functools import partial
from random import Random

import numpy as np
import pytest
from river import compose, naive_bayes, preprocessing

from broker.admin import Admin
from broker.codec import decode
from broker.contracts import Feedback
from broker.reader import read_to_end
from broker.records import next_offsets
from models.draft import Draft
from models.flights import online_pipeline
from models.loading import fetch
from models.river_runtime import pack
from models.schema import Feature, InputSchema
from modstream.cadence import CadenceSettings
from modstream.observe.delivery import delivery
from modstream.observe.labels import labels
from modstream.observe.learning import learning
from modstream.observe.ledger import read_ledger
from modstream.roles.registry import open_registry, trust
from modstream.settings import load_settings
from modstream.supervisor import Supervisor
from processors.joiner import JoinerSettings
from tests.faults.harness import SOON, until
from tests.faults.late import CITIES, DISORDER_MS, HORIZON_MS, LateLoad
from tests.faults.truth import learned_in_one_go, should_be_joined, was_joined
from tests.faults.victims import Victims

pytestmark = [pytest.mark.fault, pytest.mark.long, pytest.mark.real]

LEARNS, RESTS = "online", "still"
KILLS, WIPES = 5, (1, 3)
"""Kills of each in one run, and at which of the joiner's its folder is emptied, too."""
STEPS = 150
"""Records of feedback, or rows learned, between two kills of one process."""
KINDS = (
    "joined", "missing", "late", "orphan", "duplicate", "revised", "refused", "malformed",
)  # fmt: skip
PATIENCE = 180.0
"""Seconds: a process that was killed has to come up again before it makes progress."""
ROWS = 1000
SCHEMA = InputSchema(
    features=(
        Feature(name="x", kind="float"),
        Feature(name="y", kind="float"),
        Feature(name="city", kind="string"),
    )
)


def counting_pipeline():
    """A model that counts: it comes to the same in whatever order partitions are read."""
    strings = compose.SelectType(str) | preprocessing.OneHotEncoder()
    return strings | naive_bayes.MultinomialNB()


def publish(settings, pipeline):
    """Publish both models untrained; returns the card and artifact of the one that will learn."""
    artifact = pack(pipeline())
    facts = {"runtime": "river", "task": "binary", "classes": (False, True)}
    with open_registry(settings) as registry:
        cards = [
            registry.publish(Draft(name=name, input_schema=SCHEMA, **facts), artifact)
            for name in (LEARNS, RESTS)
        ]
    return cards[0], artifact


@pytest.fixture
def scene(bootstrap, redis_url, prefix, tmp_path, quiet_environment, pytestconfig):
    settings = load_settings(
        bootstrap=bootstrap, redis=redis_url, prefix=prefix, stream="late", home=tmp_path,
        route=(LEARNS, RESTS), cadence=CadenceSettings(seconds=0.5),
        joiner=JoinerSettings(
            HORIZON_MS, DISORDER_MS, instance="joiner", batch=100, sweep_seconds=0.25
        ),
    )  # fmt: skip
    with Supervisor(tmp_path, SOON) as supervisor:
        yield Victims(settings, supervisor, tmp_path, pytestconfig.getoption("--seed"))


def rows(seed):
    random = Random(seed)
    drawn = [
        {"x": random.gauss(0, 1), "y": random.gauss(0, 1), "city": f"c{random.randrange(CITIES)}"}
        for _ in range(ROWS)
    ]
    return SCHEMA.batch(drawn).batch


def harm(scene, registry, load, number):
    """Kill the joiner once it has joined, then the learner once it has learned."""
    before = load.feedback()
    until(lambda: load.feedback() >= before + STEPS, "feedback since the last kill", PATIENCE)
    scene.kill_joiner(wipe=number % KILLS in WIPES)
    learned = registry.newest(LEARNS).metrics.get("learned", 0)
    until(
        lambda: registry.newest(LEARNS).metrics.get("learned", 0) >= learned + STEPS,
        "versions since the last kill",
        PATIENCE,
    )
    scene.kill_learner(partial(registry.newest, LEARNS), load, inside=number % 2 == 0)


def come_to_rest(scene, registry, load):
    """Let everything asked be joined and learned; returns what stands in the topics then."""
    topics, connection = scene.settings.topics(), scene.settings.connection
    load.finish()
    until(load.is_answered, "every answer")
    inputs = next_offsets(read_to_end(connection, [topics.predictions, topics.labels]))
    until(lambda: load.has_joined(inputs), "every input joined")
    fed = next_offsets(read_to_end(connection, [topics.feedback]))
    offsets = {str(home): offset for home, offset in fed.items()}
    until(lambda: registry.newest(LEARNS).offsets == offsets, "all feedback learned")
    scene.supervisor.stop(["joiner", "learner"], grace=30.0)
    read = (topics.predictions, topics.labels, topics.feedback, topics.unjoined, topics.metrics)
    return list(read_to_end(connection, read))


def answers(scene, registry, card, batch):
    return fetch(registry, trust(scene.settings), card, 1).predict(batch)


@pytest.mark.parametrize(
    ("partitions", "pipeline"),
    [(1, online_pipeline), (4, counting_pipeline)],
    ids=[
        "one partition, a model to which the order matters",
        "four partitions, a model that counts",
    ],
)
def test_joiner_and_learner_killed_five_times_come_to_what_they_would_have_anyway(
    scene, pytestconfig, table, partitions, pipeline
):
    begun, kills = time.monotonic(), KILLS * pytestconfig.getoption("--times")
    scene.settings = scene.settings.model_copy(update={"partitions": partitions})
    settings, topics = scene.settings, scene.settings.topics()
    Admin(settings.connection).create(settings.specs())
    first = publish(settings, pipeline)
    scene.start("worker", "modstream", "worker")
    scene.start("joiner", "tests.faults.joiner", str(scene.page("joiner")))
    scene.start("learner", "tests.faults.learner", str(scene.page("learner")), LEARNS)

    with open_registry(settings) as registry, LateLoad(settings, scene.seed) as load:
        for number in range(kills):
            harm(scene, registry, load, number)
        records = come_to_rest(scene, registry, load)
        newest, batch = registry.newest(LEARNS), rows(scene.seed)
        fed = sorted(
            (record for record in records if record.topic == topics.feedback),
            key=lambda record: (record.partition, record.offset),
        )
        in_one_go = learned_in_one_go(topics, *first, fed)
        taught = [record for record in fed if decode(Feedback, record.value).features is not None]
        one_less = learned_in_one_go(topics, *first, taught[:-1])
        told = answers(scene, registry, newest, batch)

    ledger = read_ledger(settings.connection, topics, settings.route, settings.repeats)
    (learned,), accounted = learning(ledger), labels(ledger)
    should, was = should_be_joined(topics, records), was_joined(topics, records)
    apart = np.abs(told - in_one_go.runtime.predict(batch)).max()
    scene.tell(
        table, load, partitions=partitions, was=was, learned=learned, apart=apart,
        seconds=time.monotonic() - begun,
    )  # fmt: skip

    assert scene.hits == {"joiner": kills, "learner": kills}
    assert scene.inside["joiner"] == kills
    assert scene.inside["learner"] >= kills // 2
    assert scene.wiped == len(WIPES) * kills // KILLS
    assert scene.row("joiner").restarts == scene.row("learner").restarts == kills
    assert delivery(ledger).faults() == dict.fromkeys(delivery(ledger).faults(), 0)
    assert was.messages == should.messages
    assert was.counts == should.counts
    assert min(should.counts[kind] for kind in KINDS) > 0, should.counts
    assert accounted.sound, accounted.faults()
    assert learned.sound, learned.faults()
    assert learned.waiting == 0
    assert newest.metrics["learned"] == in_one_go.counts.learned
    assert apart <= 1e-12
    assert np.abs(told - one_less.runtime.predict(batch)).max() > 1e-9, "one row more is seen"
