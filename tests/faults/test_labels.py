"""Joiner and learner are killed in the middle of their work while labels keep coming.

A second learner runs beside and dies with the first: it is a mutant, and it must be found out.
"""

import time
from random import Random

import numpy as np
import pytest
from river import compose, naive_bayes, preprocessing

from modstream.audit.delivery import delivery
from modstream.audit.labels import labels
from modstream.audit.learning import learning
from modstream.audit.stream_audit import read_ledger
from modstream.broker.client.admin import Admin
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Feedback
from modstream.broker.wire.records import next_offsets
from modstream.models.examples.flights import online_pipeline
from modstream.models.runtimes.river.runtime import pack
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import Draft
from modstream.models.serving.loader import fetch
from modstream.process.supervisor import Supervisor
from modstream.processors.join.joiner import JoinerSettings
from modstream.processors.learn.publish_throttle import CadenceSettings
from modstream.registry.access import open_registry, trust
from modstream.settings import load_settings
from tests.faults.expected_results import learned_in_one_go, should_be_joined, was_joined
from tests.faults.harness import SOON, until
from tests.faults.late_labels import CITIES, DISORDER_MS, HORIZON_MS, LateLoad
from tests.faults.learner import FORGETFUL
from tests.faults.processes import PATIENCE, Victims, covers

pytestmark = [pytest.mark.fault, pytest.mark.real, pytest.mark.long]

LEARNS, FORGETS = "online", "forgetful"
KILLS, WIPES, TOGETHER, UNCOVERED = 5, (2, 3), (1, 3), (2,)
"""Kills of each in one run; at which of the joiner's its folder is emptied, too; at which all die
together, and at which the learner does with rows that no version covers."""
STEPS = 150
"""Records of feedback, or rows learned, between two kills of one process."""
KINDS = (
    "joined", "missing", "late", "orphan", "duplicate", "revised", "refused", "malformed",
)  # fmt: skip
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
    """Publish both models untrained; returns the card and artifact of the genuine learner's."""
    artifact = pack(pipeline())
    facts = {"runtime": "river", "task": "binary", "classes": (False, True)}
    with open_registry(settings) as registry:
        cards = [
            registry.publish(Draft(name=name, input_schema=SCHEMA, **facts), artifact)
            for name in (LEARNS, FORGETS)
        ]
    return cards[0], artifact


@pytest.fixture
def scene(bootstrap, redis_url, prefix, tmp_path, quiet_environment, pytestconfig):
    settings = load_settings(
        bootstrap=bootstrap, redis=redis_url, prefix=prefix, stream="late", home=tmp_path,
        route=(LEARNS, FORGETS), cadence=CadenceSettings(seconds=0.5),
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
    """Kill joiner and learner, together or in turn, when both have come on since the last time."""
    newest, wipe = registry.newest, number % KILLS in WIPES
    fed, learned = load.feedback(), newest(LEARNS).metrics.get("learned", 0)
    until(
        lambda: (
            load.feedback() >= fed + STEPS
            and newest(LEARNS).metrics.get("learned", 0) >= learned + STEPS
        ),
        "rows joined and learned since the last kill",
        PATIENCE,
    )
    if number % KILLS in TOGETHER:
        scene.kill_all((LEARNS, FORGETS), newest, wipe=wipe)
    elif number % KILLS in UNCOVERED:
        scene.kill_learner(LEARNS, newest, load, inside=False)
        scene.kill_joiner(wipe=wipe)
    else:
        scene.kill_joiner(wipe=wipe)
        scene.kill_learner(LEARNS, newest, load, inside=True)


def come_to_rest(scene, registry, load):
    """Let everything asked be joined and learned; returns what stands in the topics then."""
    topics, connection = scene.settings.topics(), scene.settings.connection
    load.finish()
    until(load.is_answered, "every answer")
    inputs = next_offsets(read_to_end(connection, [topics.predictions, topics.labels]))
    until(lambda: load.has_joined(inputs), "every input joined", PATIENCE)
    fed = next_offsets(read_to_end(connection, [topics.feedback]))
    for name in (LEARNS, FORGETS):
        until(lambda name=name: covers(registry.newest(name), fed), f"all by {name}", PATIENCE)
    scene.supervisor.stop(["joiner", LEARNS, FORGETS], grace=30.0)
    read = (topics.predictions, topics.labels, topics.feedback, topics.unjoined, topics.metrics)
    return list(read_to_end(connection, read))


def answers(scene, registry, name, batch):
    return fetch(registry, trust(scene.settings), registry.newest(name), 1).predict(batch)


def apart(some, others):
    """The largest difference between two arrays of answers."""
    return float(np.abs(some - others).max())


def in_order(records):
    """Records by partition and offset."""
    return sorted(records, key=lambda record: (record.partition, record.offset))


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
    begun, times = time.monotonic(), pytestconfig.getoption("--times")
    kills = KILLS * times
    scene.settings = scene.settings.model_copy(update={"partitions": partitions})
    settings, topics = scene.settings, scene.settings.topics()
    Admin(settings.connection).create(settings.specs())
    first = publish(settings, pipeline)
    scene.start("worker", "modstream", "worker")
    scene.start("joiner", "tests.faults.joiner", str(scene.page("joiner")), str(scene.trap))
    scene.start(LEARNS, "tests.faults.learner", str(scene.page(LEARNS)), LEARNS)
    scene.start(FORGETS, "tests.faults.learner", str(scene.page(FORGETS)), FORGETS, FORGETFUL)

    with open_registry(settings) as registry, LateLoad(settings, scene.seed) as load:
        for number in range(kills):
            harm(scene, registry, load, number)
        records, batch = come_to_rest(scene, registry, load), rows(scene.seed)
        genuine, mutant = (answers(scene, registry, name, batch) for name in (LEARNS, FORGETS))

    ledger = read_ledger(settings.connection, topics, settings.route, settings.repeats)
    should, was = should_be_joined(topics, records), was_joined(topics, records)
    fed = in_order(record for record in records if record.topic == topics.feedback)
    taught = [record for record in fed if decode(Feedback, record.value).features is not None]
    in_one_go = learned_in_one_go(topics, *first, fed)
    wanted = in_one_go.runtime.predict(batch)
    one_less = learned_in_one_go(topics, *first, taught[:-1]).runtime.predict(batch)
    learned, accounted = {one.model: one for one in learning(ledger)}, labels(ledger)
    by_genuine, by_mutant = learned[LEARNS], learned[FORGETS]
    table.notes.append(
        f"joiner and learner kill -9, {partitions} partitions: {load.sent:,} requests,"
        f" kills {dict(scene.hits)}, inside {dict(scene.inside)}, {scene.wiped} wipes;"
        f" {dict(was.counts)}, {was.repeats} messages repeated; {by_genuine.learned:,} rows in"
        f" {by_genuine.published} versions, {by_genuine.learned_twice} twice,"
        f" {by_genuine.skipped} skipped, answers {apart(genuine, wanted):.1e} apart; by a learner"
        f" that forgets its ids: {by_mutant.learned_twice} twice, {apart(mutant, wanted):.1e}"
        f" apart; {time.monotonic() - begun:.0f} s"
    )

    together = len(TOGETHER) * times
    assert scene.hits == {"joiner": kills, LEARNS: kills, FORGETS: together}
    assert scene.inside["joiner"] == kills
    assert scene.inside[LEARNS] >= (KILLS - len(TOGETHER) - len(UNCOVERED)) * times
    assert scene.wiped == len(WIPES) * times
    assert scene.row("joiner").restarts == scene.row(LEARNS).restarts == kills
    assert delivery(ledger).faults() == dict.fromkeys(delivery(ledger).faults(), 0)
    assert was.messages == should.messages
    assert was.counts == should.counts
    assert min(should.counts[kind] for kind in KINDS) > 0, should.counts
    assert accounted.sound, accounted.faults()
    assert by_genuine.sound, by_genuine.faults()
    assert by_genuine.waiting == 0
    assert by_genuine.learned == in_one_go.counts.learned
    assert apart(genuine, wanted) <= 1e-12
    assert apart(one_less, wanted) > 1e-9, "one row more is seen"
    assert by_mutant.learned_twice >= together, "the mutant is caught, each time"
    assert apart(mutant, wanted) > 1e-9
