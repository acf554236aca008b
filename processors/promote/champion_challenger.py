"""A family of models: its members are tested on the same feedback before they learn it. No I/O.

What serves is the family's champion. Challengers answer no requests: their answers are those that
they would have given to each labelled row when it was asked, with what they had learned by then
(`processors/promote/state_history.py`), so all members are compared on the same rows, each by
what it could know. docs/adr/0012 says why.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from modstream.broker.wire.records import Outgoing, Record
from modstream.models.runtimes.runtime import Outputs
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch, Scalar
from modstream.processors.learn.learner import Learner
from modstream.processors.promote.decision import Decision
from modstream.processors.promote.gate import GOOD, NOTHING, Gate
from modstream.processors.promote.label_flip import Answered
from modstream.processors.promote.losses import Floats, RankErrors, answers, losses, positives
from modstream.processors.promote.state_history import Past, frozen
from modstream.processors.promote.state_rollback import Recall, Still


@dataclass(slots=True)
class Family:
    """Members that learn side by side, members that stand still, and the gate that judges them.

    The first of `learners` is the pacer: it reads ahead of all others, what its guard refuses is
    refused. `stills` hold the batch models by member name, and GOOD once there is a good version.
    A family that is not judged only learns.
    """

    learners: Mapping[str, Learner]
    gate: Gate
    stills: dict[str, Still] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    is_judged: bool = True
    _pasts: dict[str, Past] = field(default_factory=dict)
    _ripening: Still | None = None
    _ripe_at: int = 0
    _tested: int = 0
    _errors: RankErrors = field(default_factory=RankErrors)
    _recall: Recall = field(init=False)

    def __post_init__(self) -> None:
        """Let the pacer show each batch to all members before any learns it, and watch for all."""
        self._ripe_at = self.gate.settings.ripe
        self._recall = Recall(self.gate.settings.spoilt)
        if self.is_judged:
            self.pacer.test = self._test
        for learner in self.learners.values():
            if learner is not self.pacer:
                learner.inputs = None

    @property
    def pacer(self) -> Learner:
        """The learner that reads first."""
        return next(iter(self.learners.values()))

    @property
    def is_held(self) -> bool:
        """Whether what serves stands still: the last good version, or a batch model."""
        return self.gate.champion not in self.learners

    def absorb(self, records: Sequence[Record]) -> Iterator[Outgoing]:
        """Test all members on a batch of feedback, then let them learn; yields what was refused.

        Whatever the gate decided on the way is added to `decisions`.
        """
        if self.is_judged:
            self._restore()
            self._remember()
        for learner in self.learners.values():
            refused = learner.absorb(unlearned(learner, records))
            if learner is self.pacer:
                yield from refused

    def settle(self) -> Still | None:
        """Let time tell: the new last good version, whenever there is one.

        Call it when the champion's newest version has just been published. A version that served
        is taken aside; once `ripe` labels brought no decision against it, it is the good one.
        """
        champion = self.learners.get(self.gate.champion)
        if champion is None or self._tested < self._ripe_at:
            return None
        ripened, self._ripening = self._ripening, Still(champion.card, frozen(champion.runtime))
        self._ripe_at = self._tested + self.gate.settings.ripe
        if ripened is not None:
            self.stills[GOOD] = ripened
            self.gate.renew(GOOD)
        return ripened

    def take_aside(self) -> Still | None:
        """The champion's newest version, if one is to be kept for when labels contradict it.

        Call it when that version has just been published.
        """
        champion = self.learners.get(self.gate.champion)
        return None if champion is None else self._recall.take_aside(self._tested, champion)

    def seat(self, member: str, still: Still) -> None:
        """Give a member that stands still a new version."""
        self.stills[member] = still
        self.gate.renew(member)

    def _test(self, batch: Batch, labels: Sequence[Scalar], asked_at: Sequence[int]) -> None:
        """Hold every member's answers against the labels and let the gate weigh them."""
        self._tested += batch.size
        said = {
            name: self._pasts[name].answers(batch, asked_at)
            if name in self.learners
            else answers(one.runtime, batch)
            for name, one in self._asked()
        }
        cards = {name: one.card for name, one in self._asked()}
        found, errors = self._weighed(cards, said, labels)
        champion = self.gate.champion
        answered = answered_by(cards.get(champion), said.get(champion), labels)
        decision = self.gate.weigh(found, errors, answered, batch.size)
        self._heed(decision, batch, labels)
        if decision is not None:
            self._ripening = None
            self._ripe_at = self._tested + self.gate.settings.ripe
            self._errors = RankErrors()
            self.decisions.append(decision)

    def _heed(self, decision: Decision | None, batch: Batch, labels: Sequence[Scalar]) -> None:
        """While labels contradict the champion, hold what was known before; members learn on."""
        turn = self.gate.turn
        self._recall.compare(self.learners, batch, labels)
        if turn is not None and turn.is_turned:
            sound = self._tested - batch.size - turn.since
            self._recall.hold(sound, self._pasts)
            if decision is not None and decision.member == GOOD:
                self.stills[GOOD] = self._recall.before(sound) or self.stills[GOOD]
        elif turn is not None:
            self._recall.judge(turn)
        elif not self.gate.is_contradicted:
            self._recall.drop()

    def _restore(self) -> None:
        """Let learners that were spoilt go on from before labels contradicted them."""
        for name, time, state in self._recall.restored():
            self.learners[name].go_back(state)
            self._pasts[name].forget(time)

    def _remember(self) -> None:
        """Keep what each learner knows now: what it could answer from now on."""
        self._recall.note(self._tested, self.pacer.event_time)
        for name, learner in self.learners.items():
            self._pasts.setdefault(name, Past()).keep(learner.event_time, learner.runtime)

    def _asked(self) -> Iterator[tuple[str, Learner | Still]]:
        """Who may be asked; a member that has learned these rows before the pacer may not."""
        for name, learner in self.learners.items():
            if not is_ahead(learner, self.pacer):
                yield name, learner
        yield from self.stills.items()

    def _weighed(
        self,
        cards: Mapping[str, ModelCard],
        said: Mapping[str, Outputs | None],
        labels: Sequence[Scalar],
    ) -> tuple[Mapping[str, Floats], Floats]:
        """What members are compared by, and the champion's errors: of rank for a binary task."""
        settings, champion = self.gate.settings, self.gate.champion
        is_binary = {card.task for card in cards.values()} == {"binary"}
        ranked: Mapping[str, Floats] = {}
        if is_binary:
            card = next(iter(cards.values()))
            ranked = self._errors(
                positives(card, labels), {name: shown(one, labels) for name, one in said.items()}
            )
        if is_binary and settings.loss == "rank":
            return ranked, ranked.get(champion, NOTHING)
        found = {
            name: losses(cards[name], said[name], labels, settings.error_scale) for name in said
        }
        return found, (ranked or found).get(champion, NOTHING)


def answered_by(
    card: ModelCard | None, said: Outputs | None, labels: Sequence[Scalar]
) -> Answered | None:
    """Labels and answers of a binary task; None of others, or without answers."""
    if card is None or said is None or card.task != "binary":
        return None
    return Answered(positives(card, labels), said)


def shown(said: Outputs | None, labels: Sequence[Scalar]) -> Floats:
    """Scores (n,) as they were given, NaN where there are none."""
    return np.full(len(labels), np.nan) if said is None else said


def is_ahead(learner: Learner, pacer: Learner) -> bool:
    """Whether a learner has read further than the pacer anywhere, as after a crash it may have."""
    return any(offset > pacer.offsets.get(home, 0) for home, offset in learner.offsets.items())


def unlearned(learner: Learner, records: Sequence[Record]) -> Sequence[Record]:
    """The records still to learn; of earlier ones the learner only remembers the ids."""
    offsets = learner.offsets
    earlier = [record for record in records if record.offset < offsets.get(str(record.home), 0)]
    if not earlier:
        return records
    learner.remember(earlier)
    return [record for record in records if record.offset >= offsets.get(str(record.home), 0)]
