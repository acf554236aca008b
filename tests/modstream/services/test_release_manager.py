"""The order in which feedback is learned, rows are quarantined and decisions are applied."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest

from modstream.broker.errors import ProcessKilled
from modstream.broker.loop.crash_guard import CrashGuard
from modstream.broker.loop.crash_journal import CrashJournal
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Quarantined
from modstream.broker.wire.model_contracts import DecisionEvidence, Metrics, ModelEvent
from modstream.broker.wire.records import ProducerRecord
from modstream.broker.wire.topics import Topics
from modstream.lineage.runs import JobKind
from modstream.models.errors import ForbiddenGlobal
from modstream.models.registry.errors import ArtifactDeleted, RegistryUnavailable
from modstream.models.registry.refs import CHAMPION, LAST_GOOD, NEXT_LAST_GOOD
from modstream.processors.learn.learner import Learner
from modstream.processors.promote.champion_challenger import ChampionChallenger
from modstream.processors.promote.decision import Decision
from modstream.processors.promote.settings import GateSettings
from modstream.processors.promote.state_rollback import FrozenModel
from modstream.services.alias_follower import AliasFollower
from modstream.services.candidates import are_comparable
from modstream.services.learner import owned_for_life
from modstream.services.release_manager import ReleaseManager
from modstream.services.version_publisher import VersionPublisher
from tests.modstream.services.candidate_registry import RecordingPublisher
from tests.processors.promote.synthetic_stream import (
    feedback_records,
    small_candidates,
    synthetic_events,
)
from tests.processors.small_fixtures import make_card

SLOW, QUICK = "rate-0.01", "rate-0.1"


@dataclass
class RegistryStub:
    """A registry that records the aliases that are moved; it can be unavailable."""

    moves: list = field(default_factory=list)
    unavailable: set = field(default_factory=set)
    deleted: set = field(default_factory=set)
    version: int = 1

    def aliases(self, _name):
        return {}

    def publish(self, spec, _content, *, alias, expected, reason):
        self._check(alias)
        self.version += 1
        self.moves.append((alias, spec.note, reason))
        return spec_card(spec, self.version)

    def promote(self, name, version, alias, *, expected, reason):
        self._check(alias)
        if version in self.deleted:
            raise ArtifactDeleted(name, version)
        self.moves.append((alias, version, reason))

    def _check(self, alias):
        if alias in self.unavailable:
            raise RegistryUnavailable("a drill")


def spec_card(spec, version):
    candidate = small_candidates(GateSettings(), 0.1).lead
    fields = {"version": version, "offsets": spec.offsets, "note": spec.note}
    return candidate.card.model_copy(update=fields)


@pytest.fixture
def registry():
    return RegistryStub()


@pytest.fixture
def sent():
    return RecordingPublisher()


@pytest.fixture
def releases(registry, sent):
    candidates = small_candidates(GateSettings(chunk_rows=20), 0.01, 0.1)
    publishers = {
        name: VersionPublisher(registry, sent, learner, Topics("s"), name)
        for name, learner in candidates.learners.items()
    }
    follower = AliasFollower(registry, candidates, load_model=None)
    return ReleaseManager(registry, candidates, publishers, follower)


def decide(releases, action, candidate, champion):
    """Let the gate decide, as far as the release manager can see."""
    evidence = DecisionEvidence(
        candidate=candidate, champion=champion, window=500, count=400, champion_loss=0.2,
        candidate_loss=0.1, bound=0.05, alpha=0.01,
    )  # fmt: skip
    releases.candidates.gate.champion = candidate
    releases.candidates.decisions.append(Decision(action, evidence))


def aliases(registry):
    return [alias for alias, *_ in registry.moves]


def test_feedback_is_learned_in_chunks_of_bounded_size(releases, monkeypatch):
    sizes, learn = [], ChampionChallenger.learn

    def record_size(candidates, records):
        sizes.append(len(records))
        return learn(candidates, records)

    monkeypatch.setattr(ChampionChallenger, "learn", record_size)

    releases.learn(feedback_records(synthetic_events(1, 50)))

    assert sizes == [20, 20, 10]
    assert [one.counts.learned for one in releases.candidates.learners.values()] == [50, 50]


def test_publications_and_the_decision_of_the_gate_are_runs_of_lineage(releases, registry):
    runs = []
    releases.publishers = {
        name: replace(one, lineage=SimpleNamespace(record=runs.append))
        for name, one in releases.publishers.items()
    }
    decide(releases, "promote", QUICK, SLOW)

    releases.learn(feedback_records(synthetic_events(1, 20)))

    assert [(run.kind, run.alias) for run in runs] == [
        (JobKind.LEARN, SLOW), (JobKind.LEARN, CHAMPION), (JobKind.PROMOTE, CHAMPION)
    ]  # fmt: skip
    learned = runs[1]
    assert [card.version for card in learned.outputs] == [learned.inputs[0].version + 2]
    assert list(learned.offsets.values()) == [(0, 20)]


def test_rejected_rows_are_sent_before_the_decisions_of_their_chunk(releases, registry, sent):
    broken = feedback_records(synthetic_events(1, 1))[0]._replace(value=b"{")
    decide(releases, "promote", QUICK, SLOW)

    releases.learn([broken])

    topics = [record.topic for record in sent]
    assert topics[0] == "s.quarantine"
    decision = topics[-1], decode(ModelEvent, sent[-1].value).decision.candidate
    assert decision == ("model-events", QUICK)
    assert aliases(registry) == [SLOW, CHAMPION]


def test_the_champion_is_published_as_champion_and_others_under_their_own_alias(releases, registry):
    releases.learn(feedback_records(synthetic_events(1, 20)))

    releases.publish_all()

    assert aliases(registry) == [CHAMPION, QUICK]


def test_a_decision_waits_for_an_unavailable_registry(releases, registry):
    lead = releases.candidates.lead
    releases.candidates.replace_frozen(LAST_GOOD, FrozenModel(lead.card, lead.runtime))
    registry.unavailable = {SLOW, CHAMPION}
    decide(releases, "rollback", LAST_GOOD, SLOW)

    assert not releases.publish()
    assert releases.is_behind()
    assert registry.moves == []

    registry.unavailable = set()
    assert releases.publish()
    assert aliases(registry)[:3] == [SLOW, LAST_GOOD, CHAMPION]
    assert not releases._pending


def test_while_a_decision_waits_the_former_champion_is_published_under_its_own_alias(
    releases, registry
):
    releases.learn(feedback_records(synthetic_events(1, 20)))
    registry.unavailable = {CHAMPION}
    decide(releases, "promote", QUICK, SLOW)

    releases.publish_all()

    assert set(aliases(registry)) == {SLOW}
    registry.unavailable = set()
    releases.publish()
    notes = [note for alias, note, _ in registry.moves if alias == CHAMPION]
    assert notes == [f"candidate {QUICK}"]


def test_batch_models_are_unchanged_by_default(releases):
    lead = releases.candidates.lead
    model = FrozenModel(lead.card, lead.runtime)
    releases.candidates.replace_frozen("batch", model)

    releases.publish_metrics()

    assert releases.candidates.frozen == {"batch": model}


class DeadlyGuard:
    """A guard to which one record has ended processes."""

    def __init__(self, offset):
        self.offset = offset

    def run(self, work, batch, set_aside):
        deadly = [one for one in batch if one.offset == self.offset]
        rest = [one for one in batch if one.offset != self.offset]
        return [work(rest), *(set_aside(one, ProcessKilled(2, "SIGSEGV")) for one in deadly)]


def test_a_record_that_ended_processes_is_quarantined_and_learned_by_nobody(releases, sent):
    releases.guard = DeadlyGuard(19)

    releases.learn(feedback_records(synthetic_events(1, 20)))

    (rejected,) = [decode(Quarantined, one.value) for one in sent if one.topic == "s.quarantine"]
    assert (rejected.rule, rejected.source.offset) == ("internal_error", 19)
    learners = releases.candidates.learners.values()
    assert [one.counts.learned for one in learners] == [19, 19]
    assert [one.offsets for one in learners] == [{"s.feedback:0": 20}] * 2


def test_the_guard_of_crashes_learns_what_can_be_learned(releases, monkeypatch, tmp_path):
    class Fails(Exception):
        """What nobody foresaw."""

    learn, quick = Learner.learn_batch, releases.candidates.learners[QUICK]

    def fail_on_7(learner, records, *arguments):
        if learner is quick and any(one.offset == 7 for one in records):
            raise Fails
        return learn(learner, records, *arguments)

    monkeypatch.setattr(Learner, "learn_batch", fail_on_7)
    with CrashJournal(tmp_path) as journal:
        releases.guard = CrashGuard(journal, "s.feedback", owned_for_life)
        releases.learn(feedback_records(synthetic_events(1, 20)))

    assert [one.offsets for one in releases.candidates.learners.values()] == [
        {"s.feedback:0": 20}
    ] * 2
    assert (releases.candidates.lead.counts.learned, quick.counts.learned) == (20, 19)


def test_a_state_that_cannot_be_stored_is_kept_and_published_later(releases, registry, monkeypatch):
    releases.learn(feedback_records(synthetic_events(1, 20)))
    lead = releases.lead
    snapshot = type(lead.learner.runtime).snapshot

    def fail(_runtime):
        raise ForbiddenGlobal("os:system")

    monkeypatch.setattr(type(lead.learner.runtime), "snapshot", fail)
    assert not lead.publish()
    assert lead.is_behind()

    monkeypatch.setattr(type(lead.learner.runtime), "snapshot", snapshot)
    assert lead.publish()
    assert aliases(registry) == [CHAMPION]


def test_metrics_that_cannot_be_computed_do_not_keep_the_progress_back(releases, sent, monkeypatch):
    def fail(*_):
        raise ValueError("a metric")

    monkeypatch.setattr(type(releases.lead.learner), "metrics", fail)

    releases.lead.publish_metrics()

    assert [decode(Metrics, one.value).kind for one in sent] == ["learner"]


def test_a_record_larger_than_a_topic_takes_is_not_sent(releases, sent):
    small, large = (ProducerRecord("s.metrics", b"k", b"x" * size) for size in (10, 20_000_000))

    releases.lead.send([large, small])

    assert list(sent) == [small]


def test_a_frozen_candidate_with_other_classes_is_not_compared(releases):
    lead = releases.candidates.lead
    reversed_classes = lead.card.model_copy(update={"classes": (True, False)})
    releases.candidates.replace_frozen("batch", FrozenModel(reversed_classes, lead.runtime))
    releases.learn(feedback_records(synthetic_events(1, 200)))
    assert "batch" not in releases.candidates.gate.tests

    same_labels = lead.card.model_copy(update={"classes": (0, 1)})
    releases.candidates.replace_frozen("batch", FrozenModel(same_labels, lead.runtime))
    releases.learn(feedback_records(synthetic_events(2, 400))[200:])
    assert "batch" in releases.candidates.gate.tests


def test_candidates_are_comparable_by_task_outputs_and_classes():
    def card(**fields):
        return make_card(**fields)

    assert are_comparable([card(), card(classes=(0, 1))])
    assert are_comparable(
        [card(task="regression", classes=()), card(task="regression", classes=())]
    )
    assert not are_comparable([card(classes=(1, 2)), card(classes=(2, 1))])
    assert not are_comparable([card(), card(scores="margin")])
    assert not are_comparable([card(), card(task="multiclass")])
    assert not are_comparable([card(task="clustering", classes=())])


def test_a_rollback_to_a_version_without_an_artifact_is_dropped_and_learning_goes_on(
    releases, registry
):
    lead = releases.candidates.lead
    gone = FrozenModel(lead.card.model_copy(update={"version": 77}), lead.runtime)
    releases.candidates.replace_frozen(LAST_GOOD, gone)
    registry.deleted.add(77)
    decide(releases, "rollback", LAST_GOOD, SLOW)

    assert releases.publish()

    assert releases.candidates.gate.champion == SLOW
    assert LAST_GOOD not in releases.candidates.frozen
    assert not releases._pending
    releases.learn(feedback_records(synthetic_events(1, 20)))
    registry.moves.clear()
    assert releases.publish()
    assert CHAMPION in aliases(registry)


def test_the_next_last_good_version_has_an_alias_until_it_is_one(releases, registry):
    settings = releases.candidates.gate.settings
    records = feedback_records(synthetic_events(1, 3 * settings.stable_after))
    for start in range(0, len(records), 500):
        releases.learn(records[start : start + 500])
        releases.publish()

    set_aside = [move for move in registry.moves if move[0] == NEXT_LAST_GOOD]
    became = [move for move in registry.moves if move[0] == LAST_GOOD]
    assert len(set_aside) >= 2
    assert [version for _, version, _ in became] == [
        version for _, version, _ in set_aside[: len(became)]
    ]
    assert became


def test_a_last_good_version_without_an_artifact_is_forgotten(releases, registry):
    settings = releases.candidates.gate.settings
    records = feedback_records(synthetic_events(1, 2 * settings.stable_after + 1000))
    for start in range(0, len(records), 500):
        releases.learn(records[start : start + 500])
        assert releases.publish()
        registry.deleted.update(v for alias, v, _ in registry.moves if alias == NEXT_LAST_GOOD)

    assert registry.deleted
    assert LAST_GOOD not in aliases(registry)
    assert LAST_GOOD not in releases.candidates.frozen
