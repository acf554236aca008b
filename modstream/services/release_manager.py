"""The release cycle of candidates: publishes versions, and moves aliases as the gate decides."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from modstream.broker.wire.records import Record
from modstream.models.errors import ModelError
from modstream.models.registry.errors import RegistryError
from modstream.models.registry.refs import CHALLENGER, CHAMPION, CHECKPOINT, LAST_GOOD
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import ModelCard
from modstream.processors.promote.champion_challenger import ChampionChallenger
from modstream.processors.promote.decision import Decision
from modstream.processors.promote.state_rollback import FrozenModel
from modstream.registry.events import decision_event
from modstream.services.version_publisher import VersionPublisher

CHALLENGER_PUBLISH_EVERY = 10
"""A challenger serves no requests: it is published once for this many rounds of publishing."""


def no_updates(_frozen: Mapping[str, FrozenModel]) -> Mapping[str, FrozenModel]:
    """Return no batch models."""
    return {}


@dataclass(slots=True)
class ReleaseManager:
    """Publishes the candidates' versions and applies the gate's decisions to the registry.

    A decision that the registry does not accept is kept, and tried again before anything else is
    published. Not thread-safe: one thread calls all methods.

    Attributes:
        registry: the model registry.
        candidates: the candidates and their gate.
        publishers: the publishers of the learners, by candidate name; the lead first.
        find_batch_updates: returns the batch models with a newer version than those it is given.
    """

    registry: Registry
    candidates: ChampionChallenger
    publishers: Mapping[str, VersionPublisher]
    find_batch_updates: Callable[[Mapping[str, FrozenModel]], Mapping[str, FrozenModel]] = (
        no_updates
    )
    _champion: str | None = None
    _pending: list[Decision] = field(default_factory=list)
    _publish_count: int = 0

    def __post_init__(self) -> None:
        """Publish the champion under its alias from the start."""
        self._champion = self.candidates.gate.champion

    @property
    def lead(self) -> VersionPublisher:
        """The publisher of the learner that reads first."""
        return next(iter(self.publishers.values()))

    def announce_resumed(self) -> None:
        """Send the events of the versions resumed from again."""
        for name, publisher in self.publishers.items():
            publisher.announce_resumed(self._alias_of(name))

    def learn(self, records: Sequence[Record]) -> None:
        """Test and learn feedback, one chunk at a time.

        After each chunk the rejected rows are sent to quarantine and decisions are applied.
        """
        size = self.candidates.gate.settings.chunk_rows
        for start in range(0, len(records), size):
            self.lead.send(self.candidates.learn(records[start : start + size]))
            self._apply_decisions()

    def is_behind(self) -> bool:
        """Return whether a learner has read feedback since its version, or a decision waits."""
        return bool(self._pending) or any(one.is_behind() for one in self.publishers.values())

    def publish(self) -> bool:
        """Publish the learners that are due; return False if Kafka or Redis is unavailable."""
        self._apply_decisions()
        if self._pending:
            return False
        for name in self._due():
            if self.publishers[name].is_behind() and not self._publish(name):
                return False
        self._update_aliases()
        self._publish_count += 1
        return True

    def publish_all(self) -> None:
        """Publish all learners that have read feedback since their newest versions."""
        self._apply_decisions()
        for name, publisher in self.publishers.items():
            if publisher.is_behind():
                self._publish(name)

    def publish_metrics(self) -> None:
        """Send the lead's metrics, and load new versions of batch models."""
        self.lead.publish_metrics()
        try:
            for name, model in self.find_batch_updates(self.candidates.frozen).items():
                self.candidates.replace_frozen(name, model)
        except ModelError as error:
            structlog.get_logger(__name__).warning("batch models not checked", cause=str(error))

    def _alias_of(self, name: str) -> str:
        """Return the alias under which a learner is published."""
        return CHAMPION if name == self._champion else name

    def _publish(self, name: str, reason: str = "") -> bool:
        test_number = self.candidates.gate.test_number
        publisher = self.publishers[name]
        return publisher.publish(self._alias_of(name), test_number=test_number, reason=reason)

    def _due(self) -> Iterator[str]:
        """Yield the champion and the lead, and the other challengers once in a while."""
        is_challengers_turn = self._publish_count % CHALLENGER_PUBLISH_EVERY == 0
        for name, publisher in self.publishers.items():
            if name == self._champion or is_challengers_turn or publisher is self.lead:
                yield name

    def _update_aliases(self) -> None:
        """Move the aliases `checkpoint`, `last-good` and `challenger` to their present versions."""
        checkpoint = self.candidates.checkpoint()
        if checkpoint is not None:
            self._move_alias(checkpoint.card, CHECKPOINT, "serves")
        last_good = self.candidates.update_last_good()
        if last_good is not None:
            self._move_alias(last_good.card, LAST_GOOD, "served without an alarm")
        best = self.candidates.gate.best_challenger
        if best is not None and self._publish_count % CHALLENGER_PUBLISH_EVERY == 0:
            self._move_alias(self._card_of(best), CHALLENGER, "best of the challengers")

    def _card_of(self, name: str) -> ModelCard:
        learner = self.candidates.learners.get(name)
        return self.candidates.frozen[name].card if learner is None else learner.card

    def _apply_decisions(self) -> None:
        """Apply decisions, oldest first, until one is not accepted; announce those applied."""
        self._pending += self.candidates.decisions
        self.candidates.decisions.clear()
        while self._pending and self._apply(self._pending[0]):
            self._announce(self._pending.pop(0))

    def _apply(self, decision: Decision) -> bool:
        """Publish the former champion under its own alias, then move the alias `champion`."""
        former, chosen = decision.evidence.champion, decision.evidence.candidate
        if former in self.publishers:
            self._champion = None
            if not self._publish(former):
                return False
        self._champion = chosen
        if chosen in self.publishers:
            return self._publish(chosen, decision.reason)
        card = self.candidates.frozen[chosen].card
        if chosen == LAST_GOOD and not self._move_alias(card, LAST_GOOD, decision.reason):
            return False
        return self._move_alias(card, CHAMPION, decision.reason)

    def _announce(self, decision: Decision) -> None:
        card, lead = self._card_of(decision.evidence.candidate), self.lead
        event_time = lead.learner.event_time
        lead.send([decision_event(lead.topics, card, decision, event_time)])
        structlog.get_logger(__name__).info(
            decision.action, model=card.name, reason=decision.reason
        )

    def _move_alias(self, card: ModelCard, alias: str, reason: str) -> bool:
        """Move an alias; return False if the registry does not accept it."""
        try:
            self.registry.promote(card.name, card.version, alias, reason=reason)
        except RegistryError as error:
            structlog.get_logger(__name__).warning(
                "alias not moved", alias=alias, cause=str(error), reason=reason
            )
            return False
        return True
