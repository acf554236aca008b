"""The joiner as a process on a real Kafka, fed by transactions and killed while it works."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from confluent_kafka import Producer

from broker.admin import Admin
from broker.codec import encode
from broker.connection import Connection, transactional_config
from broker.contracts import Label, Prediction, Source
from broker.names import Topics
from broker.publisher import Publisher
from broker.reader import Reader
from broker.records import Outgoing
from tests.processors.join_process import HORIZON_MS, PARTITIONS

PROGRAM = Path(__file__).with_name("join_process.py")
ROOT = PROGRAM.parents[2]
STEP_MS = 10
FEATURES = {"distance": 1400.0, "carrier": "UA", "night": False}

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


class System:
    """One stream's topics, what was sent to them, what came out of them, and its joiners."""

    def __init__(self, bootstrap, prefix, folder):
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.folder = folder
        self.topics = Topics("flights", prefix)
        self.connection = Connection(bootstrap)
        self.admin = Admin(self.connection)
        self.admin.create(self.topics.specs(PARTITIONS))
        outputs = [self.topics.feedback, self.topics.unjoined, self.topics.metrics]
        self.reader = Reader(self.connection, outputs)
        self.out = {topic: [] for topic in outputs}
        self.joiners = []

    def start(self, instance="", *options):
        command = [sys.executable, PROGRAM, self.bootstrap, self.prefix, self.folder, instance]
        joiner = subprocess.Popen(
            [*command, *options], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        self.joiners.append(joiner)
        return joiner

    def close(self):
        for joiner in self.joiners:
            joiner.kill()
            joiner.wait()
        self.reader.close()

    def until(self, holds, seconds=40.0):
        """Read what comes out until something holds; fails after `seconds` in which nothing came.

        So a machine that is busy with other things is not taken for a joiner that stands still.
        """
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, self.standing()
            for record in self.reader.poll(0.2, 5000):
                self.out[record.topic].append(record)
                deadline = time.monotonic() + seconds

    def standing(self):
        """What there is to tell of a system that stands still."""
        reasons = Counter(reason for _, reason in self.unjoined())
        codes = [joiner.poll() for joiner in self.joiners]
        return (
            f"joined {len(self.joined())}, {reasons}, of the inputs {self.waiting()};"
            f" exit codes {codes}"
        )

    def joined(self):
        """Who was joined to what, by id: the label, and every model that travelled with it."""
        found = {}
        for record in self.out[self.topics.feedback]:
            message = json.loads(record.value)
            label, models = found.setdefault(message["id"], (message["label"], set()))
            assert label == message["label"]
            models.update(scored["model"] for scored in message["predictions"])
        return found

    def unjoined(self):
        found = [json.loads(record.value) for record in self.out[self.topics.unjoined]]
        return Counter((message["id"], message["reason"]) for message in found)

    def counted(self):
        metrics = self.out[self.topics.metrics]
        return json.loads(metrics[-1].value)["values"] if metrics else Counter()

    def told(self, reason):
        return {name for name, why in self.unjoined() if why == reason}

    def lag(self):
        inputs = [self.topics.predictions, self.topics.labels]
        return self.admin.lag(self.topics.group("joiner"), inputs)

    def waiting(self):
        """What holds the inputs back: by partition the committed, the stable and the last end."""
        inputs = [self.topics.predictions, self.topics.labels]
        done = self.admin.committed(self.topics.group("joiner"), inputs)
        stable, ends = self.admin.ends(inputs, committed=True), self.admin.ends(inputs)
        return {str(home): (done.get(home), stable[home], end) for home, end in ends.items()}

    def predict(self, names, times, models=("online", "frozen"), per_transaction=20):
        """Send predictions in transactions; every fourth is aborted, full of ghosts."""
        producer = Producer(transactional_config(self.connection, f"{self.prefix}worker"))
        producer.init_transactions(30)
        for turn, first in enumerate(range(0, len(names), per_transaction)):
            batch = names[first : first + per_transaction]
            for ghosts in (True, False) if turn % 4 == 0 else (False,):
                producer.begin_transaction()
                for name in batch:
                    for model in models:
                        self._answer(producer, name, model, times[name], ghost=ghosts)
                if ghosts:
                    producer.flush()
                    producer.abort_transaction()
                else:
                    producer.commit_transaction()

    def _answer(self, producer, name, model, at, *, ghost):
        prediction = Prediction(
            id=f"ghost-{name}" if ghost else name,
            model=model,
            version=1,
            outputs={"probability": 0.5},
            features=FEATURES if model == "online" else None,
            event_time=at,
            source=Source(topic=self.topics.requests, partition=0, offset=0),
        )
        producer.produce(
            self.topics.predictions, key=b"key-" + name.encode(), value=encode(prediction)
        )

    def label(self, labels):
        with Publisher(self.connection) as publisher:
            for name, value, revision, at in labels:
                label = Label(id=name, label=value, revision=revision, event_time=at)
                key = b"key-" + name.encode()
                publisher.send(Outgoing(self.topics.labels, key, encode(label)))
            publisher.flush()

    def pass_time(self, now):
        """Bring every partition's both inputs to an event time, with ids of their own."""
        clocks = [f"clock-{now}-{number}" for number in range(40)]
        self.predict(clocks, dict.fromkeys(clocks, now), models=("online",))
        self.label([(name, True, 0, now) for name in clocks])


@pytest.fixture
def system(bootstrap, prefix, tmp_path):
    one = System(bootstrap, prefix, tmp_path)
    yield one
    one.close()


def test_the_joined_set_is_the_oracles_though_the_joiner_is_killed_while_it_works(system):
    names = [f"r{number}" for number in range(4000)]
    times = {name: 1_000_000 + number * STEP_MS for number, name in enumerate(names)}
    unlabelled, twice, revised = set(names[::20]), names[1::20], names[2::20]
    orphans = [f"o{number}" for number in range(50)]
    labels = [(n, int(n[1:]) % 3 == 0, 0, times[n] + 5000) for n in names if n not in unlabelled]
    system.predict(names[:2000], times)
    system.label(labels[:2500])

    expected = {n: (value, {"online", "frozen"}) for n, value, *_ in labels}
    victim = system.start("one")
    system.until(lambda: len(system.joined()) > 300)
    victim.kill()
    system.predict(names[2000:], times)
    victim = system.start("one")
    system.label(labels[2500:])
    system.until(lambda: len(system.joined()) > 2500)
    victim.kill()
    victim = system.start("one")
    system.until(lambda: len(system.joined()) == len(expected))
    system.label([(n, int(n[1:]) % 3 == 0, 0, times[n] + 6000) for n in twice])
    system.label([(n, int(n[1:]) % 3 != 0, 1, times[n] + 6000) for n in revised])
    system.label([(n, True, 0, times[names[-1]]) for n in orphans])
    system.until(lambda: system.told("duplicate"))
    victim.kill()
    survivor = system.start("one")
    system.pass_time(times[names[-1]] + HORIZON_MS + 10_000)
    system.until(lambda: len(system.told("missing") | system.told("orphan")) == 250)
    system.label([(n, True, 0, times[n] + 7000) for n in unlabelled])
    system.until(lambda: system.counted()["late"] == 200 and not any(system.lag().values()))

    joined = {n: it for n, it in system.joined().items() if not n.startswith("clock")}
    assert joined == expected
    assert system.told("missing") == system.told("late") == unlabelled
    assert system.told("orphan") == set(orphans)
    assert system.told("duplicate") == set(twice)
    assert system.told("revised") == set(revised)
    counted = {k: int(n) for k, n in system.counted().items() if k not in ("replayed", "open")}
    assert counted == {
        "joined": len(expected) + 40, "missing": 200, "late": 200, "orphan": 50,
        "duplicate": 200, "revised": 200, "refused": 0, "malformed": 0,
    }  # fmt: skip
    survivor.send_signal(signal.SIGTERM)
    assert survivor.wait(20) == 0


def test_feedback_stays_in_the_partition_and_under_the_key_of_its_request(system):
    names = [f"r{number}" for number in range(60)]
    system.predict(names, dict.fromkeys(names, 1_000_000))
    system.label([(name, True, 0, 1_000_000) for name in names])
    with Reader(system.connection, [system.topics.predictions]) as reader:
        homes = {}
        while not reader.at_end():
            homes.update((record.key, record.partition) for record in reader.poll(0.2))

    system.start()
    system.until(lambda: len(system.joined()) == 60)

    feedback = system.out[system.topics.feedback]
    assert {record.key: record.partition for record in feedback} == homes
    assert all(
        record.key == b"key-" + json.loads(record.value)["id"].encode() for record in feedback
    )


def test_a_second_joiner_takes_over_without_a_loss_when_the_first_one_stops(system):
    names = [f"r{number}" for number in range(3000)]
    times = {name: 1_000_000 + number * STEP_MS for number, name in enumerate(names)}
    labels = [(name, True, 0, times[name] + 5000) for name in names]
    system.predict(names, times)
    system.label(labels[:1500])
    first = system.start()
    system.until(lambda: len(system.joined()) > 200)

    system.start()
    system.label(labels[1500:2000])
    system.until(lambda: len(system.joined()) == 2000)
    first.send_signal(signal.SIGTERM)
    system.label(labels[2000:])
    system.until(lambda: len(system.joined()) == 3000)

    assert first.wait(20) == 0
    assert set(system.joined()) == set(names)
    assert not system.unjoined()


def test_a_joiner_that_cannot_publish_ends_for_its_supervisor_to_see(system):
    system.predict(["a"], {"a": 1_000_000})
    system.label([("a", True, 0, 1_000_000)])
    system.admin.delete([system.topics.feedback])

    joiner = system.start("", "3")

    assert joiner.wait(60) == 75


def test_inputs_with_different_numbers_of_partitions_are_refused(system):
    system.admin.delete([system.topics.labels])
    system.admin.create([Topics("flights", system.prefix).specs(3)[2]])

    assert system.start().wait(60) == 70
