"""The joiner as a process on a real Kafka, fed by transactions and killed while it works."""

import json
import signal
from collections import Counter
from itertools import product

import pytest

from modstream.broker.client.reader import Reader, read_to_end
from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.partitioner import partition_for_key
from modstream.broker.wire.topics import Topics
from tests.broker.client.hostile_records import send_batch, send_bomb, send_illegible
from tests.processors.join.join_process import PARTITIONS
from tests.processors.join.join_system import CLOCK_IDS, JoinSystem
from tests.processors.join.join_workload import MISSING, REPEATED, REQUESTS, REVISED, JoinWorkload

STEP_MS = 10
KILLS = 5

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


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
    system.wait_until(lambda: system.ids_unjoined("missing") >= missing)
    system.wait_until_consumed()
    joined = oracle.counts["joined"] + CLOCK_IDS
    counts = oracle.counts | {"joined": joined}
    system.wait_until(lambda: counts.items() <= system.counters().items())

    found = {key: label for key, label in system.messages().items() if "clock" not in key[0]}
    counters = {name: int(count) for name, count in system.counters().items()}
    with capsys.disabled():
        summary = f"{REQUESTS} predictions, {len(workload.labels)} labels, {KILLS} kills"
        print(f"\n{summary}: {counters}")  # noqa: T201 - the figures of the run
    assert found == expected
    del counters["replayed"], counters["open"]
    assert counters == dict.fromkeys(counters, 0) | counts
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


def test_records_of_strangers_stop_neither_joiner_nor_their_neighbours(system):
    """Labels with odd headers, of any size, in batches that expand to anything."""
    topics, names = system.topics, [f"r{number}" for number in range(12)]
    partition = partition_for_key(b"key-r0", PARTITIONS)
    wanted = [
        name for name in names if partition_for_key(f"key-{name}".encode(), PARTITIONS) == partition
    ]
    first, *others = wanted
    system.predict(names, dict.fromkeys(names, 1_000_000))
    system.label([(first, True, 0, 1_000_000)])
    odd = b'{"id":"%b","label":true,"event_time":1000000}' % others[0].encode()
    send_illegible(system.connection, topics.labels, odd, partition=partition)
    for value, codec in (
        (b"0" * 15_000_000, "none"),
        (b"0" * 16_500_000, "gzip"),
        (bytes(200_000_000), "gzip"),
        (b'{"id":"bad","label":1' + b"0" * 400 + b',"event_time":1}', "none"),
        (b'{"id":"bad","label":1,"event_time":1' + b"0" * 400 + b"}", "none"),
    ):
        send_batch(system.connection, topics.labels, [value], codec, partition=partition)
    send_bomb(system.connection, topics.labels, partition=partition)
    system.label([(name, True, 0, 1_000_000) for name in names[1:]])

    joiner = system.start()
    system.wait_until(lambda: set(system.joined()) == set(names))
    system.wait_until_consumed()
    letters = list(read_to_end(system.connection, [topics.dlq]))

    assert joiner.poll() is None
    causes = Counter(read_cause(letter)["class.name"] for letter in letters)
    assert causes == {"too_large": 2, "unreadable": 2}
    assert {letter.partition for letter in letters} == {partition}
    assert system.unjoined()["bad", "malformed"] == 2


def test_labels_of_rows_survive_a_kill(system):
    system.predict_rows("bulk", rows=30)
    for row in range(0, 30, 2):
        system.label_row("bulk", row)
    victim = system.start("one")
    system.wait_until(lambda: len(system.output[system.topics.feedback]) == 15)
    victim.kill()
    victim.wait()
    for row in (*range(1, 30, 2), 30, None):
        system.label_row("bulk", row)

    system.start("one")
    system.wait_until(lambda: sum(system.unjoined().values()) == 2)

    rows = [json.loads(one.value) for one in system.output[system.topics.feedback]]
    assert {one["row"]: one["features"] for one in rows} == {row: {"x": row} for row in range(30)}
    assert set(system.unjoined()) == {("bulk", "row_unknown"), ("bulk", "row_missing")}


def test_state_on_disk_is_continued_after_a_kill_and_built_anew_when_it_is_damaged(system):
    """Each start knows what was joined before: nothing is joined twice, and nothing is lost.

    The predictions of two models may be joined in one message or in two.
    """
    names = [f"r{number}" for number in range(120)]
    parts = names[:40], names[40:80], names[80:]
    system.predict(names, dict.fromkeys(names, 1_000_000))
    databases = system.folder / "state" / system.topics.group("joiner") / "instance-one"

    for number, part in enumerate(parts):
        joiner = system.start("one")
        system.label([(name, True, 0, 1_000_000) for name in part])
        system.wait_until(lambda known=number: len(system.joined()) >= 40 * (known + 1))
        system.wait_until_consumed()
        joiner.kill()
        joiner.wait()
        if number == 1:
            for folder in databases.glob("*/db"):
                (folder / "CURRENT").write_text("damaged")
    system.label([(names[0], True, 0, 1_000_000)])
    system.start("one")
    system.wait_until(lambda: system.unjoined()[names[0], "duplicate"] == 1)

    assert sorted(path.name for path in databases.iterdir()) == ["0", "1", "2", "3", "lock"]
    messages = [json.loads(record.value) for record in system.output[system.topics.feedback]]
    joined = Counter((one["id"], made["model"]) for one in messages for made in one["predictions"])
    assert joined == Counter(product(names, ("online", "frozen")))
    assert sum(system.unjoined().values()) == 1


def test_label_over_which_the_joiner_dies_costs_two_restarts(system):
    names = [f"r{number}" for number in range(40)]
    system.predict(names, dict.fromkeys(names, 1_000_000))
    system.label([(name, True, 0, 1_000_000) for name in (*names[:20], "deadly", *names[20:])])

    ends = [system.start("one", "60", "deadly").wait(60) for _ in range(2)]
    survivor = system.start("one", "60", "deadly")
    system.wait_until(lambda: set(system.joined()) == set(names))
    system.wait_until_consumed()
    (letter,) = read_to_end(system.connection, [system.topics.dlq])

    assert ends == [-signal.SIGSEGV] * 2
    assert survivor.poll() is None
    assert json.loads(letter.value)["id"] == "deadly"
    assert read_cause(letter)["class.name"] == "internal_error"
    system.wait_until(lambda: system.counters()["joined"] == 40)
