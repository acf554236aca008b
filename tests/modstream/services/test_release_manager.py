"""The order in which feedback is learned, rows are quarantined and decisions are applied."""

from dataclasses import dataclass, field

import pytest

from modstream.broker.wire.codec import decode
from modstream.broker.wire.model_contracts import DecisionEvidence, ModelEvent
from modstream.broker.wire.topics import Topics
from modstream.models.registry.errors import RegistryUnavailable
from modstream.models.registry.refs import CHAMPION, LAST_GOOD
from modstream.processors.promote.champion_challenger import ChampionChallenger
from modstream.processors.promote.decision import Decision
from modstream.processors.promote.settings import GateSettings
from modstream.processors.promote.state_rollback import FrozenModel
from modstream.services.release_manager import ReleaseManager
from modstream.services.version_publisher import VersionPublisher
from tests.modstream.services.candidate_registry import RecordingPublisher
from tests.processors.promote.synthetic_stream import (
    feedback_records,
    small_candidates,
    synthetic_events,
)

SLOW, QUICK = "rate-0.01", "rate-0.1"


@dataclass
class RegistryStub:
    """A registry that records the aliases that are moved; it can be unavailable."""

    moves: list = field(default_factory=list)
    unavailable: set = field(default_factory=set)
    version: int = 1

    def publish(self, spec, _content, *, alias, reason):
        self._check(alias)
        self.version += 1
        self.moves.append((alias, spec.note, reason))
        return spec_card(spec, self.version)

    def promote(self, _name, version, alias, *, reason):
        self._check(alias)
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
    return ReleaseManager(registry, candidates, publishers)


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
