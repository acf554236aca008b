"""Champion and challengers: candidates tested on the same feedback before they learn it. No I/O.

The champion serves. Challengers serve no requests: they are tested on the predictions that they
would have made for each labelled row at the time of its request, with what they had learned by then
(`processors/promote/state_history.py`). All candidates are thus compared on the same rows, each by
what it could know. docs/adr/0012 gives the reasons.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from modstream.broker.errors import InternalError
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.models.evaluation.arrays import FloatArray
from modstream.models.evaluation.version_classes import VersionLabels
from modstream.models.registry.refs import LAST_GOOD
from modstream.models.runtimes.runtime import Outputs
from modstream.models.schema.card import ModelCard
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Batch
from modstream.processors.learn.atomic_update import AnyLearningRuntime
from modstream.processors.learn.learner import Learner
from modstream.processors.learn.trainer import BatchHook, no_hook
from modstream.processors.promote.candidate_scores import CandidateScores
from modstream.processors.promote.decision import Decision
from modstream.processors.promote.gate import NO_ERRORS, PromotionGate
from modstream.processors.promote.losses import (
    RankErrors,
    binary_labels,
    labelled_scores,
    losses,
    predict_or_none,
    scores_or_nan,
)
from modstream.processors.promote.mean_candidate import MeanCandidate
from modstream.processors.promote.state_history import StateHistory
from modstream.processors.promote.state_rollback import (
    FrozenModel,
    StateRollback,
    frozen_version,
)


@dataclass(slots=True)
class ChampionChallenger:
    """Candidates that learn side by side, frozen ones, means of both, and the gate over all.

    The first of `learners` is the lead. It learns each batch first, its guard decides which rows
    are quarantined, and only its batches are shown to the gate. A learner that has read further
    than the lead is not compared until the lead has caught up. Not thread-safe: one thread calls
    all methods.

    Attributes:
        learners: the candidates that learn, by name.
        gate: the gate that compares the candidates.
        frozen: the batch models by candidate name, and the last-good version as `LAST_GOOD`.
        means: the candidates that are means of others, by name.
        decisions: the gate's decisions that the caller has not taken yet, oldest first.
        is_gated: whether candidates are compared; if False, they only learn.
        scores: how good the answers of all candidates are.
    """

    learners: Mapping[str, Learner]
    gate: PromotionGate
    frozen: dict[str, FrozenModel] = field(default_factory=dict)
    means: Mapping[str, MeanCandidate] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    is_gated: bool = True
    scores: CandidateScores = field(default_factory=CandidateScores)
    _histories: dict[str, StateHistory] = field(default_factory=dict)
    _next_last_good: FrozenModel | None = None
    _stable_at: int = 0
    _label_count: int = 0
    _rank_errors: RankErrors = field(default_factory=RankErrors)
    _rollback: StateRollback = field(init=False)

    def __post_init__(self) -> None:
        """Let only the lead monitor input drift: all learners learn the same rows."""
        self._stable_at = self.gate.settings.stable_after
        self._rollback = StateRollback(self.gate.settings.max_auc_loss)
        for learner in self.learners.values():
            if learner is not self.lead:
                learner.disable_input_drift()

    @property
    def lead(self) -> Learner:
        """The learner that reads first."""
        return next(iter(self.learners.values()))

    def learn(self, records: Sequence[Record]) -> list[ProducerRecord]:
        """Test all candidates on a batch of feedback, then let all of them learn it.

        Memory is bounded by the batch; the caller passes at most `gate.settings.chunk_rows` records
        at a time. Decisions of the gate are appended to `decisions`.

        Returns:
            The quarantine records of the rows that the lead's guard rejected.
        """
        before_learning: BatchHook = no_hook
        if self.is_gated:
            self._restore_states()
            self._record_states()
            before_learning = self._evaluate
        rejected = self.lead.learn_batch(unlearned(self.lead, records), before_learning)
        for learner in self.learners.values():
            if learner is not self.lead:
                learner.learn_batch(unlearned(learner, records))
        return rejected

    def set_aside(self, record: Record, error: InternalError) -> list[ProducerRecord]:
        """Let no learner learn a record that cannot be handled; return its quarantine record."""
        rejected = self.lead.set_aside(record, error)
        for learner in self.learners.values():
            if learner is not self.lead:
                learner.set_aside(record, error)
        return rejected

    def update_last_good(self) -> FrozenModel | None:
        """Return the new last-good version, if one has just become stable.

        The caller has just published the champion. Every `stable_after` labels the champion's state
        is set aside; it becomes the last-good version if the next `stable_after` labels bring no
        decision.
        """
        champion = self._served()
        if champion is None or self._label_count < self._stable_at:
            return None
        stable = self._next_last_good
        self._next_last_good = frozen_version(champion)
        self._stable_at = self._label_count + self.gate.settings.stable_after
        if stable is not None:
            self.frozen[LAST_GOOD] = stable
            self.gate.reset(LAST_GOOD)
        return stable

    @property
    def next_last_good(self) -> FrozenModel | None:
        """The version that was set aside to become the last-good one, if there is one."""
        return self._next_last_good

    def drop_last_good(self) -> None:
        """Forget the last-good version, which cannot serve any more."""
        self.frozen.pop(LAST_GOOD, None)
        self.gate.reset(LAST_GOOD)

    def checkpoint(self) -> FrozenModel | None:
        """Return the champion's newest version if it has just been kept as a checkpoint.

        The caller has just published the champion. Checkpoints are what the champion is rolled back
        to when labels look flipped.
        """
        champion = self._served()
        return None if champion is None else self._rollback.checkpoint(self._label_count, champion)

    def card_of(self, candidate: str) -> ModelCard | None:
        """Return the card of a candidate's newest version; None for a mean before its first."""
        if candidate in self.means:
            published = self.means[candidate].published
            return None if published is None else published.card
        learner = self.learners.get(candidate)
        return self.frozen[candidate].card if learner is None else learner.card

    def replace_frozen(self, candidate: str, model: FrozenModel) -> None:
        """Set or replace the version of a frozen candidate; its test restarts."""
        self.frozen[candidate] = model
        self.gate.reset(candidate)

    def continue_from(self, candidate: str, model: FrozenModel) -> None:
        """Let a learner continue from another version, which it owns from now on.

        The version's runtime must learn. The candidate's test restarts.
        """
        self.learners[candidate].continue_from(model.card, cast(AnyLearningRuntime, model.runtime))
        self._histories.pop(candidate, None)
        self.gate.reset(candidate)
        self._rollback.unpin()

    def appoint(self, champion: str) -> None:
        """Begin the term of a candidate that an operator has made the champion.

        Decisions that were not taken yet are dropped: their evidence is against another champion.
        """
        self.gate.appoint(champion)
        self.decisions.clear()
        self._restart_comparison()

    def _served(self) -> Learner | FrozenModel | None:
        """Return the champion if it changes with the labels: a learner, or the version of a mean.

        A batch model or the last-good version is not set aside as the last-good version.
        """
        mean = self.means.get(self.gate.champion)
        return self.learners.get(self.gate.champion) if mean is None else mean.published

    def _restart_comparison(self) -> None:
        """Forget what was compared with the former champion."""
        self._next_last_good = None
        self._stable_at = self._label_count + self.gate.settings.stable_after
        self._rank_errors = RankErrors()

    def _evaluate(
        self, batch: Batch, labels: Sequence[Scalar], request_times: Sequence[int]
    ) -> None:
        """Compare every candidate's predictions with the labels, and update the gate."""
        self._label_count += batch.size
        outputs = {
            name: self._histories[name].predict(batch, request_times)
            if name in self.learners
            else predict_or_none(one.runtime, batch)
            for name, one in self._comparable()
        }
        cards = {name: one.card for name, one in self._comparable()}
        for name, mean in self.means.items():
            combined = mean.outputs(self.lead.card.task, outputs)
            if combined is not None:
                outputs[name], cards[name] = combined, cards[mean.parts[0]]
        self.scores.add(cards, outputs, labels)
        candidate_losses, errors = self._losses_and_errors(cards, outputs, labels)
        champion = self.gate.champion
        labelled = labelled_scores(cards.get(champion), outputs.get(champion), labels)
        decision = self.gate.update(candidate_losses, errors, labelled, batch.size)
        self._react(decision, batch, labels)
        if decision is not None:
            self._restart_comparison()
            self.decisions.append(decision)

    def _react(self, decision: Decision | None, batch: Batch, labels: Sequence[Scalar]) -> None:
        """While labels look flipped, keep the learners' states from before; learning goes on."""
        flip = self.gate.flip
        self._rollback.compare(self.learners, batch, labels)
        if flip is not None and flip.is_flipped:
            last_correct = self._label_count - batch.size - flip.label_count
            self._rollback.pin(last_correct, self._histories)
            if decision is not None and decision.evidence.candidate == LAST_GOOD:
                checkpoint = self._rollback.checkpoint_at(last_correct)
                self.frozen[LAST_GOOD] = checkpoint or self.frozen[LAST_GOOD]
        elif flip is not None:
            self._rollback.decide(flip)
        elif not self.gate.is_flipped:
            self._rollback.unpin()

    def _restore_states(self) -> None:
        """Restore learners that flipped labels made worse to their states before the flip."""
        for name, time, state in self._rollback.pop_restored():
            self.learners[name].restore_state(state)
            self._histories[name].truncate(time)

    def _record_states(self) -> None:
        """Record the learners' states, which predict for requests from now on."""
        self._rollback.record_time(self._label_count, self.lead.event_time)
        for name, learner in self.learners.items():
            history = self._histories.setdefault(name, StateHistory())
            history.record(learner.event_time, learner.runtime)

    def _comparable(self) -> Iterator[tuple[str, Learner | FrozenModel]]:
        """Yield the candidates that can be compared now.

        Left out are those that learned these rows before the lead, and frozen ones with another
        task or other classes, to which the labels mean something else, or with features that the
        lead's rows do not have.
        """
        for name, learner in self.learners.items():
            if not is_ahead(learner, self.lead):
                yield name, learner
        labels, known = VersionLabels.of(self.lead.card), set(self.lead.card.input_schema.names)
        for name, model in self.frozen.items():
            if (
                model.card.output_form == "array"
                and VersionLabels.of(model.card).is_like(labels)
                and known.issuperset(model.card.input_schema.names)
            ):
                yield name, model

    def _losses_and_errors(
        self,
        cards: Mapping[str, ModelCard],
        outputs: Mapping[str, Outputs | None],
        labels: Sequence[Scalar],
    ) -> tuple[Mapping[str, FloatArray], FloatArray]:
        """Return each candidate's losses, and the champion's errors: rank errors if binary."""
        settings, champion = self.gate.settings, self.gate.champion
        is_binary = {card.task for card in cards.values()} == {"binary"}
        ranked: Mapping[str, FloatArray] = {}
        if is_binary:
            card = next(iter(cards.values()))
            ranked = self._rank_errors.add(
                binary_labels(card, labels),
                {name: scores_or_nan(one, labels) for name, one in outputs.items()},
            )
        if is_binary and settings.loss == "rank":
            return ranked, ranked.get(champion, NO_ERRORS)
        scored = {
            name: losses(cards[name], outputs[name], labels, settings.error_scale)
            for name in outputs
        }
        return scored, (ranked or scored).get(champion, NO_ERRORS)


def is_ahead(learner: Learner, lead: Learner) -> bool:
    """Return whether a learner has read further than the lead in any partition.

    This happens after a crash: the learners' newest versions need not have the same offsets.
    """
    return any(
        offset > lead.offsets.get(partition, 0) for partition, offset in learner.offsets.items()
    )


def unlearned(learner: Learner, records: Sequence[Record]) -> Sequence[Record]:
    """Return the records that a learner has not learned yet; of the others it takes the ids."""
    offsets = learner.offsets
    learned = [
        record for record in records if record.offset < offsets.get(str(record.topic_partition), 0)
    ]
    if not learned:
        return records
    learner.backfill_ids(learned)
    return [
        record for record in records if record.offset >= offsets.get(str(record.topic_partition), 0)
    ]
