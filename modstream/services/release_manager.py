"""A family's release cycle: versions published by cadence, aliases moved as its gate decides."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from modstream.broker.wire.records import Record
from modstream.models.errors import ModelError, RegistryError
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import ModelCard
from modstream.processors.predict.traffic_split import CHALLENGER, CHAMPION
from modstream.processors.promote.champion_challenger import Family
from modstream.processors.promote.decision import Decision
from modstream.processors.promote.gate import GOOD
from modstream.processors.promote.state_rollback import Still
from modstream.registry.events import decision_event
from modstream.services.version_publisher import Press

ASIDE = "aside"
"""The alias of what served shortly before; its trail keeps those versions' artifacts."""
SELDOM = 10
"""A challenger, which answers nobody, publishes one version in so many of the champion's."""


@dataclass(slots=True)
class Releases:
    """Carries out what a family's learners and gate come to; `presses` are those of its learners.

    A decision that Redis does not take is kept and tried again before anything else is published.
    `look` finds batch members that were published anew.
    """

    registry: Registry
    family: Family
    presses: Mapping[str, Press]
    look: Callable[[dict[str, Still]], Mapping[str, Still]] = dict
    _waiting: list[Decision] = field(default_factory=list)
    _turns: int = 0

    def __post_init__(self) -> None:
        """The member that serves publishes under the champion's alias, the others under theirs."""
        gate = self.family.gate
        for member, press in self.presses.items():
            press.alias = CHAMPION if member == gate.champion else member
            press.round = lambda: gate.number

    @property
    def pacer(self) -> Press:
        """The press of the learner that reads first."""
        return next(iter(self.presses.values()))

    def announce_again(self) -> None:
        """Tell of the versions that are resumed from."""
        for press in self.presses.values():
            press.announce_again()

    def absorb(self, records: Sequence[Record]) -> None:
        """Let the family test and learn, a chunk at a time, and carry out its decisions."""
        size = self.family.gate.settings.chunk
        for start in range(0, len(records), size):
            self.pacer.send(self.family.absorb(records[start : start + size]))
            self._carry_out()

    def is_behind(self) -> bool:
        """Whether any member has read on since its newest version, or a decision waits."""
        return bool(self._waiting) or any(press.is_behind() for press in self.presses.values())

    def publish(self) -> bool:
        """Publish those whose turn it is; False while Redis is away."""
        self._carry_out()
        if self._waiting:
            return False
        for press in self._due():
            if press.is_behind() and not press.publish():
                return False
        self._settle()
        self._turns += 1
        return True

    def publish_all(self) -> None:
        """Publish whoever has read on since its newest version."""
        self._carry_out()
        for press in self.presses.values():
            if press.is_behind():
                press.publish()

    def measure(self) -> None:
        """Put out the figures of the member that serves, and look for new batch members."""
        self.pacer.measure()
        try:
            for member, still in self.look(self.family.stills).items():
                self.family.seat(member, still)
        except ModelError as error:
            structlog.get_logger(__name__).warning("no look at batch members", cause=str(error))

    def _due(self) -> Iterator[Press]:
        for press in self.presses.values():
            if press.alias == CHAMPION or self._turns % SELDOM == 0 or press is self.pacer:
                yield press

    def _settle(self) -> None:
        """Let the aliases `aside`, `good` and `challenger` follow what they stand for."""
        aside = self.family.take_aside()
        if aside is not None:
            self._point(aside.card, ASIDE, "serves")
        ripened = self.family.settle()
        if ripened is not None:
            self._point(ripened.card, GOOD, "served without an alarm")
        leader = self.family.gate.leader
        if leader is not None and self._turns % SELDOM == 0:
            one = self.family.learners.get(leader) or self.family.stills[leader]
            self._point(one.card, CHALLENGER, "leads the challengers")

    def _carry_out(self) -> None:
        self._waiting += self.family.decisions
        self.family.decisions.clear()
        while self._waiting and self._move(self._waiting[0]):
            self._tell(self._waiting.pop(0))

    def _move(self, decision: Decision) -> bool:
        """Let the former champion go on under its own alias, then move the champion's."""
        former, chosen = self.presses.get(decision.former), self.presses.get(decision.member)
        if former is not None:
            former.alias = decision.former
            if not former.publish():
                return False
        if chosen is None:
            card = self.family.stills[decision.member].card
            is_known = decision.member != GOOD or self._point(card, GOOD, decision.because)
            return is_known and self._point(card, CHAMPION, decision.because)
        chosen.alias = CHAMPION
        return chosen.publish(decision.because)

    def _tell(self, decision: Decision) -> None:
        chosen, pacer = self.presses.get(decision.member), self.pacer
        member = self.family.stills[decision.member] if chosen is None else chosen.learner
        event_time = pacer.learner.event_time
        pacer.send([decision_event(pacer.topics, member.card, decision, event_time)])
        structlog.get_logger(__name__).info(
            decision.action, model=member.card.name, because=decision.because
        )

    def _point(self, card: ModelCard, alias: str, evidence: str) -> bool:
        """Move an alias; False while Redis is away."""
        try:
            self.registry.promote(card.name, card.version, alias, evidence=evidence)
        except RegistryError as error:
            structlog.get_logger(__name__).warning(
                "alias not moved", alias=alias, cause=str(error), because=evidence
            )
            return False
        return True
