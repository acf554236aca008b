"""Joiner and learner are killed during their work while labels arrive.

A second learner is killed together with the first. It is a mutant, which the audit must detect.
"""

import time
from random import Random

import numpy as np
import pytest
from river import compose, linear_model, naive_bayes, preprocessing

from modstream.audit.delivery import audit_delivery
from modstream.audit.labels import audit_labels
from modstream.audit.learning import audit_learning
from modstream.audit.reading import audit_stream
from modstream.broker.client.admin import Admin
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Feedback
from modstream.broker.wire.records import next_offsets
from modstream.models.runtimes.river.runtime import pack
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.serving.loader import load_version
from modstream.process.supervisor import Supervisor
from modstream.processors.join.settings import JoinerSettings
from modstream.processors.learn.publish_throttle import PublishSettings
from modstream.registry.access import open_registry
from modstream.registry.trust import load_trust
from modstream.settings import load_settings
from tests.faults.expected_results import actual_join, expected_join, learn_uninterrupted
from tests.faults.harness import QUICK_BACKOFF, wait_until
from tests.faults.late_labels import CITIES, DISORDER_MS, HORIZON_MS, LabelLoad
from tests.faults.learner import FORGET_IDS
from tests.faults.processes import PROGRESS_TIMEOUT_SECONDS, ServiceProcesses, covers
from tests.faults.summary import SummaryTable

pytestmark = [pytest.mark.fault, pytest.mark.real, pytest.mark.long]

CORRECT, MUTANT = "online", "forgetful"
KILLS, WIPES, TOGETHER, UNCOVERED = 5, (2, 3), (1, 3), (2,)
"""Number of kills in one run; the kills at which the joiner's folder is deleted too, those at which
all processes are killed, and those of the learner with rows that are not in a version yet."""
STEPS = 150
"""Feedback records, or learned rows, between two kills of one process."""
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


def ordered_pipeline():
    """Return a model whose state depends on the order of the rows that it learns."""
    strings = compose.SelectType(str) | preprocessing.OneHotEncoder()
    numbers = compose.SelectType(float) | preprocessing.StandardScaler()
    return compose.TransformerUnion(strings, numbers) | linear_model.LogisticRegression()


def counting_pipeline():
    """Return a model of counts, whose state does not depend on the order of the partitions."""
    strings = compose.SelectType(str) | preprocessing.OneHotEncoder()
    return strings | naive_bayes.MultinomialNB()


def publish(settings, pipeline):
    """Publish both models untrained; return card and artifact of the correct learner's model."""
    artifact = pack(pipeline())
    fields = {"runtime": "river", "task": "binary", "classes": (False, True)}
    with open_registry(settings) as registry:
        cards = [
            registry.publish(VersionSpec(name=name, input_schema=SCHEMA, **fields), artifact)
            for name in (CORRECT, MUTANT)
        ]
    return cards[0], artifact


@pytest.fixture
def processes(bootstrap, redis_url, prefix, tmp_path, quiet_environment, pytestconfig):
    settings = load_settings(
        bootstrap=bootstrap, redis=redis_url, prefix=prefix, stream="late", home=tmp_path,
        route=(CORRECT, MUTANT), publish=PublishSettings(min_interval_seconds=0.5),
        joiner=JoinerSettings(
            HORIZON_MS, DISORDER_MS, instance_id="joiner", max_records=100,
            timer_interval_seconds=0.25,
        ),
    )  # fmt: skip
    with Supervisor(tmp_path, QUICK_BACKOFF) as supervisor:
        yield ServiceProcesses(settings, supervisor, tmp_path, pytestconfig.getoption("--seed"))


def rows(seed):
    random = Random(seed)
    drawn = [
        {"x": random.gauss(0, 1), "y": random.gauss(0, 1), "city": f"c{random.randrange(CITIES)}"}
        for _ in range(ROWS)
    ]
    return SCHEMA.parse_rows(drawn).batch


def kill_services(processes: ServiceProcesses, registry, load: LabelLoad, number):
    """Kill joiner and learner, together or one after the other, after both have made progress."""
    newest, wipe = registry.newest, number % KILLS in WIPES
    feedback, learned = load.check_feedback_count(), newest(CORRECT).metrics.get("learned", 0)
    wait_until(
        lambda: (
            load.check_feedback_count() >= feedback + STEPS
            and newest(CORRECT).metrics.get("learned", 0) >= learned + STEPS
        ),
        "rows joined and learned since the last kill",
        PROGRESS_TIMEOUT_SECONDS,
    )
    if number % KILLS in TOGETHER:
        processes.kill_all((CORRECT, MUTANT), newest, wipe=wipe)
    elif number % KILLS in UNCOVERED:
        processes.kill_learner(CORRECT, newest, load, inside=False)
        processes.kill_joiner(wipe=wipe)
    else:
        processes.kill_joiner(wipe=wipe)
        processes.kill_learner(CORRECT, newest, load, inside=True)


def finish_load(processes: ServiceProcesses, registry, load: LabelLoad):
    """Wait until everything is joined and learned, stop the services, and read the topics."""
    topics, connection = processes.settings.topics(), processes.settings.connection
    load.finish()
    wait_until(load.is_answered, "all responses")
    inputs = next_offsets(read_to_end(connection, [topics.predictions, topics.labels]))
    wait_until(lambda: load.has_joined(inputs), "all inputs joined", PROGRESS_TIMEOUT_SECONDS)
    ends = next_offsets(read_to_end(connection, [topics.feedback]))
    for name in (CORRECT, MUTANT):
        wait_until(
            lambda name=name: covers(registry.newest(name), ends),
            f"everything learned by {name}",
            PROGRESS_TIMEOUT_SECONDS,
        )
    processes.supervisor.stop(["joiner", CORRECT, MUTANT], timeout_seconds=30.0)
    read = (topics.predictions, topics.labels, topics.feedback, topics.unjoined, topics.metrics)
    return list(read_to_end(connection, read))


def predictions_of(processes: ServiceProcesses, registry, name, batch):
    return load_version(registry, load_trust(processes.settings), registry.newest(name), 1).predict(
        batch
    )


def max_difference(first, second):
    """Return the largest difference between two arrays of predictions."""
    return float(np.abs(first - second).max())


def in_order(records):
    """Return records sorted by partition and offset."""
    return sorted(records, key=lambda record: (record.partition, record.offset))


@pytest.mark.parametrize(
    ("partitions", "pipeline"),
    [
        (1, ordered_pipeline),
        pytest.param(4, counting_pipeline, marks=pytest.mark.thorough),
    ],
    ids=[
        "one partition, a model that depends on the order",
        "four partitions, a model of counts",
    ],
)
def test_joiner_and_learner_killed_five_times_have_the_results_of_an_uninterrupted_run(
    processes: ServiceProcesses, pytestconfig, table: SummaryTable, partitions, pipeline
):
    started, times = time.monotonic(), pytestconfig.getoption("--times")
    kills = KILLS * times
    processes.settings = processes.settings.model_copy(update={"partitions": partitions})
    settings, topics = processes.settings, processes.settings.topics()
    Admin(settings.connection).create(settings.topic_specs())
    first = publish(settings, pipeline)
    processes.start("worker", "modstream", "worker")
    processes.start(
        "joiner", "tests.faults.joiner", str(processes.phase_file("joiner")), str(processes.trap)
    )
    processes.start(CORRECT, "tests.faults.learner", str(processes.phase_file(CORRECT)), CORRECT)
    processes.start(
        MUTANT, "tests.faults.learner", str(processes.phase_file(MUTANT)), MUTANT, FORGET_IDS
    )

    with open_registry(settings) as registry, LabelLoad(settings, processes.seed) as load:
        for number in range(kills):
            kill_services(processes, registry, load, number)
        records, batch = finish_load(processes, registry, load), rows(processes.seed)
        correct, mutant = (
            predictions_of(processes, registry, name, batch) for name in (CORRECT, MUTANT)
        )

    audit = audit_stream(settings.connection, topics, settings.route, settings.dedup_window)
    expected, actual = expected_join(topics, records), actual_join(topics, records)
    feedback = in_order(record for record in records if record.topic == topics.feedback)
    training = [
        record for record in feedback if decode(Feedback, record.value).features is not None
    ]
    uninterrupted = learn_uninterrupted(topics, *first, feedback)
    expected_predictions = uninterrupted.runtime.predict(batch)
    one_less = learn_uninterrupted(topics, *first, training[:-1]).runtime.predict(batch)
    learned, joined = {one.model: one for one in audit_learning(audit)}, audit_labels(audit)
    by_correct, by_mutant = learned[CORRECT], learned[MUTANT]
    table.notes.append(
        f"joiner and learner kill -9, {partitions} partitions: {load.sent:,} requests,"
        f" kills {dict(processes.kills)}, inside {dict(processes.kills_inside)},"
        f" {processes.wipes} wipes;"
        f" {dict(actual.counts)}, {actual.repeats} messages repeated;"
        f" {by_correct.rows_learned:,} rows in {by_correct.versions} versions,"
        f" {by_correct.rows_learned_twice} twice,"
        f" {by_correct.rows_skipped} skipped, maximum difference of predictions"
        f" {max_difference(correct, expected_predictions):.1e}; by a learner that forgets its ids:"
        f" {by_mutant.rows_learned_twice} twice,"
        f" difference {max_difference(mutant, expected_predictions):.1e};"
        f" {time.monotonic() - started:.0f} s"
    )

    together = len(TOGETHER) * times
    assert processes.kills == {"joiner": kills, CORRECT: kills, MUTANT: together}
    assert processes.kills_inside["joiner"] == kills
    assert processes.kills_inside[CORRECT] >= (KILLS - len(TOGETHER) - len(UNCOVERED)) * times
    assert processes.wipes == len(WIPES) * times
    assert processes.row("joiner").restarts == processes.row(CORRECT).restarts == kills
    assert audit_delivery(audit).faults() == dict.fromkeys(audit_delivery(audit).faults(), 0)
    assert actual.messages == expected.messages
    assert actual.counts == expected.counts
    assert min(expected.counts[kind] for kind in KINDS) > 0, expected.counts
    assert joined.is_sound, joined.faults()
    assert by_correct.is_sound, by_correct.faults()
    assert by_correct.rows_pending == 0
    assert by_correct.rows_learned == uninterrupted.counts.learned
    assert max_difference(correct, expected_predictions) <= 1e-12
    assert max_difference(one_less, expected_predictions) > 1e-9, (
        "a single missing row would be detected"
    )
    assert by_mutant.rows_learned_twice >= together, "the mutant is detected at each kill"
    assert max_difference(mutant, expected_predictions) > 1e-9
