"""The joiner as a process on a real Kafka, fed by transactions and killed while it works."""

import json
import signal

import pytest

from modstream.broker.client.reader import Reader
from modstream.broker.wire.topics import Topics
from tests.processors.join.join_system import CLOCK_IDS, JoinSystem
from tests.processors.join.join_workload import MISSING, REPEATED, REQUESTS, REVISED, JoinWorkload

STEP_MS = 10
KILLS = 5

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


@pytest.fixture
def system(bootstrap, prefix, tmp_path):
    created = JoinSystem(bootstrap, prefix, tmp_path)
    yield created
    created.close()


@pytest.mark.timeout(400)
@pytest.mark.long
def test_joined_set_equals_the_oracles_though_the_joiner_is_killed_five_times(system, capsys):
    workload = JoinWorkload.generate(seed=1)
    oracle = workload.run_oracle()
    # Whether a label was joined before it was revised depends on which input was read first.
    expected = {
        (name, key): value
        for name, reason, value, models, _ in oracle.messages
        for key in models or (reason,)
    }
    missing = {name for name, reason in expected if reason == "missing"}

    for names, labels in workload.split(KILLS):
        system.predict(names, workload.times, per_transaction=50)
        system.label(labels)
        enough = len(system.joined()) + 40
        victim = system.start("one")
        system.wait_until(lambda enough=enough: len(system.joined()) >= enough, seconds=90)
        victim.kill()
        victim.wait()
    survivor = system.start("one")
    system.advance_time(workload.end)
    system.wait_until(
        lambda: system.ids_unjoined("missing") >= missing and not system.has_waiting_records()
    )
    joined = oracle.counts["joined"] + CLOCK_IDS
    system.wait_until(lambda: system.counters()["joined"] == joined)

    found = {key: label for key, label in system.messages().items() if "clock" not in key[0]}
    counters = {name: int(count) for name, count in system.counters().items()}
    with capsys.disabled():
        summary = f"{REQUESTS} predictions, {len(workload.labels)} labels, {KILLS} kills"
        print(f"\n{summary}: {counters}")  # noqa: T201 - the figures of the run
    assert found == expected
    del counters["replayed"], counters["open"]
    assert counters == {
        **dict.fromkeys(counters, 0), **oracle.counts, "joined": joined,
    }  # fmt: skip
    assert [len(kind) * REQUESTS // 100 for kind in (MISSING, REVISED, REPEATED)] == [
        counters["missing"], counters["revised"], counters["duplicate"],
    ]  # fmt: skip
    survivor.send_signal(signal.SIGTERM)
    assert survivor.wait(20) == 0


def test_feedback_has_the_partition_and_the_key_of_its_request(system):
    names = [f"r{number}" for number in range(60)]
    system.predict(names, dict.fromkeys(names, 1_000_000))
    system.label([(name, True, 0, 1_000_000) for name in names])
    with Reader(system.connection, [system.topics.predictions]) as reader:
        partitions = {}
        while not reader.at_end():
            partitions.update((record.key, record.partition) for record in reader.poll(0.2))

    system.start()
    system.wait_until(lambda: len(system.joined()) == 60)

    feedback = system.output[system.topics.feedback]
    assert {record.key: record.partition for record in feedback} == partitions
    assert all(
        record.key == b"key-" + json.loads(record.value)["id"].encode() for record in feedback
    )


def test_second_joiner_takes_over_without_loss_when_the_first_one_stops(system):
    names = [f"r{number}" for number in range(3000)]
    times = {name: 1_000_000 + number * STEP_MS for number, name in enumerate(names)}
    labels = [(name, True, 0, times[name] + 5000) for name in names]
    system.predict(names, times)
    system.label(labels[:1500])
    first = system.start()
    system.wait_until(lambda: len(system.joined()) > 200)

    system.start()
    system.label(labels[1500:2000])
    system.wait_until(lambda: len(system.joined()) == 2000)
    first.send_signal(signal.SIGTERM)
    system.label(labels[2000:])
    system.wait_until(lambda: len(system.joined()) == 3000)

    assert first.wait(20) == 0
    assert set(system.joined()) == set(names)
    assert not system.unjoined()


def test_joiner_that_cannot_publish_exits_with_the_code_for_a_restart(system):
    system.predict(["a"], {"a": 1_000_000})
    system.label([("a", True, 0, 1_000_000)])
    system.admin.delete([system.topics.feedback])

    joiner = system.start("", "3")

    assert joiner.wait(60) == 75


def test_inputs_with_different_partition_counts_are_rejected(system):
    system.admin.delete([system.topics.labels])
    system.admin.create([Topics("flights", system.prefix).specs(3)[2]])

    assert system.start().wait(60) == 70
