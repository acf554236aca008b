"""Promotions and rollbacks in a real registry, and a learner service on a real stream."""

import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.model_contracts import ModelEvent
from modstream.broker.wire.records import ProducerRecord
from modstream.models.registry.refs import CHAMPION, LAST_GOOD
from modstream.process.health import HealthFiles
from modstream.processors.promote.settings import GateSettings
from modstream.processors.promote.state_rollback import FrozenModel
from modstream.services.candidates import (
    candidate_note,
    current_champion,
    newest_version,
    resume,
)
from modstream.services.learner import run_learner
from tests.modstream.services.candidate_registry import (
    RecordingPublisher,
    load_test_settings,
    make_decision,
    make_release_manager,
    publish_onnx,
    publish_river,
    registry_of_two,
)
from tests.processors.promote.synthetic_stream import feedback_messages, synthetic_events

pytestmark = pytest.mark.real
TIMEOUT_SECONDS = 180.0


@pytest.fixture
def settings(bootstrap, redis_url, prefix, tmp_path):
    return load_test_settings(bootstrap, redis_url, prefix, tmp_path)


@pytest.fixture
def registry(settings):
    with registry_of_two(settings) as registry:
        yield registry


def test_a_promotion_moves_the_champion_and_both_learners_go_on(settings, registry):
    releases = make_release_manager(settings, registry, sent := RecordingPublisher())
    releases.candidates.gate.champion = "quick"
    releases.candidates.decisions.append(make_decision("promote", "quick", "slow"))

    releases.publish()
    releases.candidates.learners["quick"].skip_to({"s.feedback:0": 7})
    releases.publish()

    champion = registry.card("m")
    assert champion.note == candidate_note("quick")
    assert champion.offsets == {"s.feedback:0": 7}
    assert registry.card("m", "slow").note == candidate_note("slow")
    events = [decode(ModelEvent, one.value) for one in sent if one.topic.endswith("model-events")]
    (event,) = [one for one in events if one.decision is not None]
    assert (event.action, event.decision.champion, event.decision.count) == ("promote", "slow", 400)
    learners = resume(settings, registry, "m").learners
    assert current_champion(registry, "m", learners) == "quick"
    assert newest_version(registry, "m", "quick").version == champion.version


def test_a_rolled_back_champion_stays_frozen_after_a_restart(settings, registry):
    releases = make_release_manager(settings, registry, RecordingPublisher())
    candidates = releases.candidates
    candidates.replace_frozen(LAST_GOOD, FrozenModel(candidates.lead.card, candidates.lead.runtime))
    registry.promote("m", candidates.lead.card.version, LAST_GOOD)
    releases.lead.publish()
    candidates.gate.champion = LAST_GOOD
    candidates.decisions.append(make_decision("rollback", LAST_GOOD, "slow"))

    releases.publish()

    assert registry.resolve("m") == registry.resolve("m", LAST_GOOD) == 1
    assert registry.card("m", "slow").note == candidate_note("slow")
    resumed = resume(settings, registry, "m")
    assert resumed.gate.champion == LAST_GOOD
    assert resumed.gate.champion not in resumed.learners
    assert resumed.gate.first_test_number == 2


def wait_for_champion(registry, candidate, learned):
    deadline = monotonic() + TIMEOUT_SECONDS
    note = candidate_note(candidate)
    while (card := registry.card("m")).note != note or card.metrics["learned"] < learned:
        assert monotonic() < deadline, f"{card.note!r} has learned {card.metrics['learned']}"
        sleep(0.05)


def test_the_learner_service_promotes_the_better_candidate_on_a_real_stream(settings, registry):
    Admin(settings.connection).create(settings.topic_specs())
    gate = GateSettings(loss="score", min_comparisons=100)
    settings = settings.model_copy(update={"gate": gate})
    topics, stop = settings.topics(), threading.Event()
    with Publisher(settings.connection) as publisher:
        for message in feedback_messages(synthetic_events(1, 600)):
            key = message.id.encode()
            publisher.send(ProducerRecord(topics.feedback, key, encode(message)))
        publisher.flush()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_learner, settings, "m", stop)
        try:
            wait_for_champion(registry, "quick", learned=600)
        finally:
            stop.set()
        running.result(TIMEOUT_SECONDS)

    records = read_to_end(settings.connection, [topics.model_events])
    events = [decode(ModelEvent, record.value) for record in records]
    (decision,) = [event for event in events if event.decision is not None]
    assert (decision.action, decision.decision.candidate) == ("promote", "quick")
    assert {card.metrics["learned"] for card in registry.versions("m")[-2:]} == {600}
    learners = resume(settings, registry, "m").learners
    assert current_champion(registry, "m", learners) == "quick"


def send_feedback(settings, start, stop):
    with Publisher(settings.connection) as publisher:
        for message in feedback_messages(synthetic_events(1, stop))[start:]:
            key = message.id.encode()
            publisher.send(ProducerRecord(settings.topics().feedback, key, encode(message)))
        publisher.flush()


def wait_until(condition, learner):
    deadline = monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert monotonic() < deadline
        assert not learner.done(), learner.result()
        sleep(0.05)


def test_a_running_learner_does_not_overwrite_a_model_published_by_hand(settings, registry):
    Admin(settings.connection).create(settings.topic_specs())
    settings = settings.model_copy(update={"candidates": (), "stall_timeout": 5.0})
    stop, health = threading.Event(), HealthFiles(settings.home)
    send_feedback(settings, 0, 100)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_learner, settings, "m", stop)
        try:
            wait_until(lambda: registry.card("m").metrics.get("learned") == 100, running)
            frozen = publish_onnx(registry, CHAMPION, 1)
            send_feedback(settings, 100, 200)
            wait_until(lambda: registry.newest("m").metrics.get("learned") == 200, running)
            assert registry.resolve("m") == frozen.version
            wait_until(lambda: any(not one.is_healthy for one in health.read()), running)
            (report,) = health.read()
            assert f"the champion of m is version {frozen.version}" in report.reason

            by_hand = publish_river(registry, CHAMPION, 0.5)
            wait_until(lambda: registry.resolve("m") > by_hand.version, running)
            send_feedback(settings, 200, 300)
            wait_until(lambda: registry.card("m").metrics.get("learned") == 100, running)
            wait_until(lambda: all(one.is_healthy for one in health.read()), running)
        finally:
            stop.set()
        running.result(TIMEOUT_SECONDS)

    lineage = [card.parent for card in registry.versions("m") if card.version > by_hand.version]
    assert lineage[0] == by_hand.version
    assert registry.newest("m").version == registry.resolve("m")
