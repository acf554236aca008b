"""The release cycle of candidates: publishes versions, and moves aliases as the gate decides."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from modstream.broker.loop.crash_guard import CrashGuard
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.lineage.runs import JobKind, change_run
from modstream.models.errors import ModelError
from modstream.models.registry.errors import AliasMoved, ArtifactDeleted, RegistryError
from modstream.models.registry.refs import (
    CHALLENGER,
    CHAMPION,
    CHECKPOINT,
    LAST_GOOD,
    NEXT_LAST_GOOD,
)
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import ModelCard
from modstream.processors.promote.champion_challenger import ChampionChallenger
from modstream.processors.promote.decision import Decision
from modstream.processors.promote.state_rollback import FrozenModel
from modstream.registry.events import decision_event, model_event
from modstream.services.alias_follower import AliasFollower
from modstream.services.candidates import SINGLE
from modstream.services.mean_publisher import MeanPublisher
from modstream.services.version_publisher import VersionPublisher

CHALLENGER_PUBLISH_EVERY = 10
"""A challenger serves no requests: it is published once for this many rounds of publishing."""


def no_updates(_frozen: Mapping[str, FrozenModel]) -> Mapping[str, FrozenModel]:
    """Return no batch models."""
    return {}


def candidate_metrics(candidates: ChampionChallenger) -> list[Metrics]:
    """Return the scores of candidates that are compared, as metrics; none without scores."""
    values, lead = candidates.scores.values(), candidates.lead
    if not values:
        return []
    facts = {"event_time": lead.event_time, "offsets": dict(lead.offsets)}
    return [Metrics(kind="candidates", model=lead.card.name, values=values, **facts)]


@dataclass(slots=True)
class ReleaseManager:
    """Publishes the candidates' versions and applies the gate's decisions to the registry.

    A decision that the registry does not accept is kept, and tried again before anything else is
    published, unless somebody else has moved the alias `champion` meanwhile. The aliases of the
    learners move only from the versions that `follower` last saw there. Not thread-safe: one thread
    calls all methods.

    Attributes:
        registry: the model registry.
        candidates: the candidates and their gate.
        publishers: the publishers of the learners, by candidate name; the lead first.
        follower: lets learners continue from versions to which somebody else moves their aliases.
        find_batch_updates: returns the batch models with a newer version than those it is given.
        means: the publishers of the candidates that are means, by candidate name.
        guard: sets aside the records on which learning fails or the process dies; None in tests.
    """

    registry: Registry
    candidates: ChampionChallenger
    publishers: Mapping[str, VersionPublisher]
    follower: AliasFollower
    find_batch_updates: Callable[[Mapping[str, FrozenModel]], Mapping[str, FrozenModel]] = (
        no_updates
    )
    means: Mapping[str, MeanPublisher] = field(default_factory=dict)
    guard: CrashGuard | None = None
    _champion: str | None = None
    _serving: str = ""
    _pending: list[Decision] = field(default_factory=list)
    _publish_count: int = 0
    _kept_version: int = 0

    def __post_init__(self) -> None:
        """Publish the champion under its alias from the start."""
        self._champion = self._serving = self.candidates.gate.champion

    @property
    def lead(self) -> VersionPublisher:
        """The publisher of the learner that reads first."""
        return next(iter(self.publishers.values()))

    @property
    def _all_publishers(self) -> Mapping[str, VersionPublisher | MeanPublisher]:
        return {**self.publishers, **self.means}

    def announce_resumed(self) -> None:
        """Send the events of the versions resumed from again, after a look at the aliases."""
        self.follow_aliases()
        for name, publisher in self._all_publishers.items():
            publisher.announce_resumed(self._alias_of(name))

    def learn(self, records: Sequence[Record]) -> None:
        """Test and learn feedback, one chunk at a time.

        After each chunk the rejected rows are sent to quarantine and decisions are applied.
        """
        size = self.candidates.gate.settings.chunk_rows
        for start in range(0, len(records), size):
            for rejected in self._learn_chunk(records[start : start + size]):
                self.lead.send(rejected)
            self._apply_decisions()

    def _learn_chunk(self, records: Sequence[Record]) -> list[list[ProducerRecord]]:
        if self.guard is None:
            return [self.candidates.learn(records)]
        return self.guard.run(self.candidates.learn, records, self.candidates.set_aside)

    def is_behind(self) -> bool:
        """Return whether a learner is to be published, or a decision waits."""
        publishers = self.publishers.values()
        return bool(self._pending) or any(one.is_behind() for one in publishers)

    def follow_aliases(self) -> None:
        """Let learners continue from the versions to which somebody else has moved their aliases.

        Raises:
            AnotherLearner: a second learner of the same model has read more feedback.
            RegistryUnavailable: the registry does not answer.
        """
        serving = self.follower.follow(self._serving)
        if serving is not None:
            self._champion = self._serving = serving
            self._pending.clear()  # Their evidence is against another champion.

    def publish(self) -> bool:
        """Publish the learners that are due; return False if this must be tried again.

        That is the case if Kafka or Redis is unavailable, or if an alias was moved meanwhile.
        """
        if not self._try_to_follow():
            return False
        self._apply_decisions()
        if self._pending:
            return False
        for name in self._due():
            if self.publishers[name].is_behind() and not self._publish(name):
                return False
        self._update_aliases()
        self._publish_count += 1
        return True

    def publish_means(self) -> None:
        """Publish the means that are due, which have throttles of their own."""
        due = [name for name, mean in self.means.items() if mean.is_behind()]
        if due and self._try_to_follow() and not self._pending:
            for name in due:
                self._publish(name)
            self._update_aliases()

    def publish_all(self) -> None:
        """Publish all learners that have read feedback since their newest versions."""
        self._try_to_follow()
        self._apply_decisions()
        for name, publisher in self.publishers.items():
            if publisher.is_behind():
                self._publish(name)
        for name, mean in self.means.items():
            if mean.is_outdated():
                self._publish(name)

    def publish_metrics(self) -> None:
        """Send the lead's metrics and the candidates' scores; look at the aliases.

        New versions of batch models are loaded.
        """
        self.lead.publish_metrics()
        self.lead.send_metrics(candidate_metrics(self.candidates))
        try:
            self.follow_aliases()
            for name, model in self.find_batch_updates(self.candidates.frozen).items():
                self.candidates.replace_frozen(name, model)
            self._serve_newest_batch_model()
        except ModelError as error:
            structlog.get_logger(__name__).warning("aliases not checked", cause=str(error))

    def _alias_of(self, name: str) -> str | None:
        """Return the alias under which a learner is published; None if none may move."""
        left = self.follower.left
        if name == self._champion and CHAMPION not in left:
            return CHAMPION
        return None if name == SINGLE or name in left else name

    def _publish(self, name: str, reason: str = "") -> bool:
        alias, seen = self._alias_of(name), self.follower.seen
        publisher = self._all_publishers[name]
        # Nobody continues from a version under the alias of a mean, so that it is only written.
        is_followed = alias == CHAMPION or name in self.publishers
        try:
            is_published = publisher.publish(
                alias,
                expected=seen.get(alias) if is_followed and alias is not None else None,
                test_number=self.candidates.gate.test_number,
                reason=reason,
            )
        except AliasMoved as error:
            structlog.get_logger(__name__).info("version not published", cause=str(error))
            self._try_to_follow()
            return False
        if is_published and is_followed and alias is not None and publisher.card is not None:
            seen[alias] = publisher.card.version
        return is_published

    def _try_to_follow(self) -> bool:
        """Look at the aliases; return False if the registry is unavailable."""
        try:
            self.follow_aliases()
        except RegistryError as error:
            structlog.get_logger(__name__).warning("aliases not checked", cause=str(error))
            return False
        return True

    def _due(self) -> Iterator[str]:
        """Yield the champion and the lead, and the other challengers once in a while."""
        is_challengers_turn = self._publish_count % CHALLENGER_PUBLISH_EVERY == 0
        for name, publisher in self.publishers.items():
            if name == self._champion or is_challengers_turn or publisher is self.lead:
                yield name

    def _update_aliases(self) -> None:
        """Move the aliases `checkpoint`, `last-good` and `challenger` to their present versions.

        None of them moves while a version serves that is none of the candidates'.
        """
        if CHAMPION in self.follower.left:
            return
        checkpoint = self.candidates.checkpoint()
        if checkpoint is not None:
            self._move_alias(checkpoint.card, CHECKPOINT, "serves")
        self._update_last_good()
        best = self.candidates.gate.best_challenger
        card = None if best is None else self.candidates.card_of(best)
        if card is not None and self._publish_count % CHALLENGER_PUBLISH_EVERY == 0:
            self._move_alias(card, CHALLENGER, "best of the challengers")

    def _update_last_good(self) -> None:
        """Move `last-good`, and the alias of the version that may become the next one."""
        last_good = self.candidates.update_last_good()
        if last_good is not None:
            try:
                self._try_to_move(last_good.card, LAST_GOOD, "served without an alarm")
            except ArtifactDeleted as error:
                self.candidates.drop_last_good()
                log = structlog.get_logger(__name__)
                log.warning("no last-good version for now", cause=str(error))
        following = self.candidates.next_last_good
        if following is not None and following.card.version != self._kept_version:
            reason = "becomes last-good if no alarm follows"
            if self._move_alias(following.card, NEXT_LAST_GOOD, reason):
                self._kept_version = following.card.version

    def _serve_newest_batch_model(self) -> None:
        """Move the alias `champion` to the newest version of the batch candidate that serves."""
        model = self.candidates.frozen.get(self._serving)
        is_moved = CHAMPION in self.follower.left or bool(self._pending)
        if model is None or self._serving == LAST_GOOD or is_moved:
            return
        card, reason = model.card, "a newer version of the candidate that serves"
        if self.follower.seen.get(CHAMPION, card.version) != card.version:
            if not self._promote_frozen(self._serving, reason):
                return
            # The challengers were compared with the version before.
            self.candidates.appoint(self._serving)
            event = model_event(self.lead.topics, card, "promote", alias=CHAMPION, reason=reason)
            self.lead.send([event])
            kind = JobKind.PROMOTE
            self.lead.lineage.record(
                change_run(self.lead.topics, card, kind, CHAMPION, reason=reason)
            )

    def _apply_decisions(self) -> None:
        """Apply decisions, oldest first, until one is not accepted; announce those applied."""
        self._pending += self.candidates.decisions
        self.candidates.decisions.clear()
        if self._pending and CHAMPION in self.follower.left:
            log = structlog.get_logger(__name__)
            log.warning("decision dropped", reason=self.follower.left[CHAMPION])
            self._pending.clear()
        try:
            while self._pending and self._apply(self._pending[0]):
                self._announce(self._pending.pop(0))
        except ArtifactDeleted as error:
            self._give_up(error)

    def _give_up(self, error: ArtifactDeleted) -> None:
        """Drop the decisions: the chosen version can never serve, so the present one serves on."""
        log = structlog.get_logger(__name__)
        log.error("decision dropped", cause=str(error), reason=self._pending[0].reason)
        self._pending.clear()
        self._champion = self._serving
        self.candidates.drop_last_good()
        self.candidates.appoint(self._serving)

    def _apply(self, decision: Decision) -> bool:
        """Publish the former champion under its own alias, then move the alias `champion`."""
        former, chosen = decision.evidence.champion, decision.evidence.candidate
        if former in self._all_publishers:
            self._champion = None
            if not self._publish(former):
                return False
        self._champion = chosen
        is_applied = (
            self._publish(chosen, decision.reason)
            if chosen in self._all_publishers
            else self._promote_frozen(chosen, decision.reason)
        )
        if is_applied:
            self._serving = chosen
        return is_applied

    def _promote_frozen(self, chosen: str, reason: str) -> bool:
        """Move the alias `champion` to a candidate that does not learn."""
        card = self.candidates.frozen[chosen].card
        if chosen == LAST_GOOD and not self._try_to_move(card, LAST_GOOD, reason):
            return False
        seen = self.follower.seen
        is_moved = self._try_to_move(card, CHAMPION, reason, expected=seen.get(CHAMPION))
        if is_moved:
            seen[CHAMPION] = card.version
        return is_moved

    def _announce(self, decision: Decision) -> None:
        card, lead = self.candidates.card_of(decision.evidence.candidate), self.lead
        if card is None:
            raise AssertionError("a decision was applied without a version")
        event_time = lead.learner.event_time
        lead.send([decision_event(lead.topics, card, decision, event_time)])
        kind = JobKind(decision.action)
        lead.lineage.record(change_run(lead.topics, card, kind, CHAMPION, reason=decision.reason))
        structlog.get_logger(__name__).info(
            decision.action, model=card.name, reason=decision.reason
        )

    def _move_alias(self, card: ModelCard, alias: str, reason: str) -> bool:
        """Move an alias that is not served; return False if the registry does not accept it."""
        try:
            return self._try_to_move(card, alias, reason)
        except ArtifactDeleted as error:
            log = structlog.get_logger(__name__)
            log.warning("alias not moved", alias=alias, cause=str(error), reason=reason)
            return False

    def _try_to_move(
        self, card: ModelCard, alias: str, reason: str, expected: int | None = None
    ) -> bool:
        """Move an alias; return False if the registry does not accept it now.

        Raises:
            ArtifactDeleted: retention has deleted the version's artifact, so it never will.
        """
        try:
            self.registry.promote(card.name, card.version, alias, expected=expected, reason=reason)
        except AliasMoved as error:
            structlog.get_logger(__name__).info("alias not moved", cause=str(error))
            self._try_to_follow()
            return False
        except ArtifactDeleted:
            raise
        except RegistryError as error:
            structlog.get_logger(__name__).warning(
                "alias not moved", alias=alias, cause=str(error), reason=reason
            )
            return False
        return True
