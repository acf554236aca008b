"""The calibrator: answers get sets once there are labels enough, whatever ends it or a worker."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from time import monotonic

import pytest

from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import ProducerRecord
from modstream.errors import InvalidSettings
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.models.registry.calibration_table import Calibration, CalibrationTable
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.errors import CalibrationMoved, ModelNotFound, RegistryUnavailable
from modstream.processors.conformal.settings import ServedSetSettings
from modstream.processors.conformal.tracker import ConformalTracker
from modstream.registry.card_lookup import card_finder
from modstream.registry.conformal import (
    ThresholdFollower,
    open_calibrations,
    patient_card_finder,
)
from modstream.services.calibrator import CalibrationWriter, run_calibrator
from modstream.services.worker import run_worker
from modstream.settings import load_settings
from tests.journeys.conftest import TIMEOUT_SECONDS, System, open_system
from tests.models.constant_model import publish_constant

NAME = "biased"
MIN_LABELS = 30


@pytest.fixture
def system(bootstrap, redis_url, prefix, tmp_path):
    """A stream whose model is to have sets after `MIN_LABELS` labels."""
    with open_system(bootstrap, redis_url, prefix, tmp_path) as opened:
        conformal = ServedSetSettings({NAME: 0.9}, min_labels=MIN_LABELS, refresh_seconds=0.1)
        settings = opened.settings.model_copy(update={"route": (NAME,), "conformal": conformal})
        found = System(settings, opened.supervisor, opened.folder, opened.clients)
        found.create_topics()
        with found.registry() as registry:
            publish_constant(registry, 2, NAME)
        yield found


@contextmanager
def running(target, settings):
    """Run a service in a thread of this process."""
    stop = Event()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(target, settings, stop)
        try:
            yield
        finally:
            stop.set()
            done.result(TIMEOUT_SECONDS)


def add_feedback(system, answers):
    """Write the labels of some answers as the joiner does: true for 8 of 10."""
    topic = system.topics.feedback
    with Publisher(system.settings.connection) as publisher:
        for number, answer in enumerate(answers):
            joined = JoinedPrediction(
                model=answer.model, version=answer.version, outputs=answer.outputs
            )
            feedback = Feedback(
                id=answer.id,
                label=number % 10 < 8,
                predictions=(joined,),
                event_time=1,
                label_time=2,
            )
            publisher.send(ProducerRecord(topic, answer.id.encode(), encode(feedback)))
        publisher.flush()


def ask(client, count):
    """Return the answers of some requests."""
    asked = [client.send({"distance": 1.0}) for _ in range(count)]
    return [client.wait(one, TIMEOUT_SECONDS) for one in asked]


def labels_of(answer):
    """Return the number of labels that an answer's set is made of, 0 without a set."""
    return answer.outputs.get("conformal", {}).get("labels", 0)


def ask_until(client, labels):
    """Ask until an answer's set is made of so many labels, never of more; return all answers."""
    deadline, answers = monotonic() + TIMEOUT_SECONDS, ask(client, 1)
    while labels_of(answers[-1]) != labels:
        assert labels_of(answers[-1]) < labels
        assert monotonic() < deadline, answers[-1]
        answers += ask(client, 1)
    return answers


@pytest.mark.real
@pytest.mark.journey
def test_sets_follow_the_labels_whatever_process_is_killed(system):
    client, supervisor = system.client(), system.supervisor
    with running(run_worker, system.settings):
        system.start("calibrator", "calibrator")
        first = ask(client, MIN_LABELS)
        assert all(answer.outputs.keys() == {"probability"} for answer in first)
        add_feedback(system, first[:-1])
        add_feedback(system, first)  # The joiner repeats records after a crash.
        answer = ask_until(client, MIN_LABELS)[-1]
        assert answer.outputs["conformal"] == {
            "set": [False, True],
            "coverage": 0.9,
            "labels": MIN_LABELS,
        }

        add_feedback(system, second := ask(client, 20))
        supervisor.kill("calibrator")
        during = ask(client, 5)
        later = ask_until(client, MIN_LABELS + len(second))
        assert all(labels_of(one) >= MIN_LABELS for one in (*during, *later))
    with running(run_worker, system.settings):
        (after,) = ask(client, 1)
        assert labels_of(after) == MIN_LABELS + len(second)

    records = read_to_end(system.settings.connection, [system.topics.metrics])
    found = [decode(Metrics, record.value) for record in records]
    newest = {(one.model, one.version): one.values for one in found if one.kind == "conformal"}
    assert newest[NAME, None]["labels"] == MIN_LABELS + len(second)
    assert newest[NAME, 1] == {"served": 20, "inside": 20, "coverage": 1}

    with system.registry() as registry, open_calibrations(system.settings) as table:
        stored = table.read()
        tracker = ConformalTracker(system.settings.conformal, VersionClasses(card_finder(registry)))
        tracker.add(list(read_to_end(system.settings.connection, [system.topics.feedback])))
        found = replace(tracker)
        found.restore(stored.offsets, stored.states)
    assert stored.offsets == tracker.offsets
    one, other = found.states[NAME], tracker.states[NAME]
    assert (one.labels, one.outcomes) == (other.labels, other.outcomes)
    assert one.adaptive.alpha == pytest.approx(other.adaptive.alpha)
    assert sorted(one.adaptive.scores) == sorted(other.adaptive.scores)


@pytest.fixture
def table(redis_url, prefix):
    with CalibrationTable(redis_url, RegistrySettings(prefix=prefix), "s") as opened:
        yield opened


@pytest.mark.real
def test_state_is_written_once_and_by_one_calibrator(table):
    assert table.read() == Calibration()
    assert table.thresholds() is None
    first = Calibration(1, {"s.feedback:0": 7}, {"m": b"\x00state"}, b"\xffthresholds")
    table.write(first)
    table.write(first)  # The reply to the first write was lost.
    second = first._replace(revision=2, offsets={"s.feedback:0": 9}, states={"n": b"other"})
    table.write(second)

    assert table.read() == second
    assert table.thresholds() == first.thresholds
    for wrong in (first, second._replace(offsets={}), second._replace(revision=4)):
        with pytest.raises(CalibrationMoved):
            table.write(wrong)
    assert table.read() == second


@pytest.mark.real
def test_state_that_redis_has_lost_is_written_again(table):
    table.write(Calibration(41, {"s.feedback:0": 7}, {"m": b"state"}, b"thresholds"))

    assert table.read().revision == 41


class FlakyTable:
    """A table whose first calls fail."""

    def __init__(self, failures):
        self.failures = failures
        self.written = []

    def read(self):
        return self._attempt() or Calibration(3, {"a:0": 1}, {}, b"")

    def write(self, new):
        self._attempt()
        self.written.append(new.revision)

    def _attempt(self):
        self.failures -= 1
        if self.failures >= 0:
            raise RegistryUnavailable("down")


def test_calibrator_waits_for_redis(monkeypatch):
    monkeypatch.setattr("modstream.services.calibrator.RETRY_SECONDS", 0.001)
    table = FlakyTable(2)
    writer = CalibrationWriter(table, Event())
    tracker = ConformalTracker(ServedSetSettings({NAME: 0.9}), VersionClasses())

    assert writer.restore()
    table.failures = 2
    assert writer.is_behind(tracker)
    assert writer.write(tracker)

    assert table.written == [4]
    assert not writer.is_waiting
    stopped = Event()
    stopped.set()
    table.failures = 1
    assert not CalibrationWriter(table, stopped).write(tracker)


class FlakyRegistry:
    """A registry whose first lookups fail."""

    def __init__(self, failures):
        self.failures = failures

    def card(self, model, version):
        self.failures -= 1
        if self.failures >= 0:
            raise RegistryUnavailable("down")
        raise ModelNotFound(model, version)


def test_a_card_is_awaited_while_redis_does_not_answer(monkeypatch):
    monkeypatch.setattr("modstream.registry.conformal.CARD_RETRY_SECONDS", 0.001)
    causes, stop = [], Event()

    assert patient_card_finder(FlakyRegistry(2), stop, causes.append)(NAME, 1) is None

    assert [bool(cause) for cause in causes] == [True, True, False]
    stop.set()
    with pytest.raises(RegistryUnavailable):
        patient_card_finder(FlakyRegistry(1), stop, causes.append)(NAME, 1)


def test_calibrator_needs_a_model():
    with pytest.raises(InvalidSettings, match=r"conformal\.coverage"):
        run_calibrator(load_settings(), Event())


def test_follower_serves_on_while_redis_does_not_answer(tmp_path):
    settings = load_settings(
        redis="redis://127.0.0.1:1/0",
        home=tmp_path,
        conformal=ServedSetSettings({NAME: 0.9}, refresh_seconds=0.01),
    )
    with ThresholdFollower(settings) as follower:
        assert follower.thresholds() == {}
