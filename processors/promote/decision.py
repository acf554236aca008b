"""The decisions of the promotion gate, in their own module: importing it imports no River."""

from dataclasses import dataclass
from typing import Literal

from modstream.broker.wire.model_contracts import DecisionEvidence


@dataclass(frozen=True, slots=True)
class Decision:
    """A change of the champion, and the evidence for it.

    `evidence.champion` is the former champion and `evidence.candidate` the new one.
    """

    action: Literal["promote", "rollback"]
    evidence: DecisionEvidence

    @property
    def reason(self) -> str:
        """The decision's reason in one sentence."""
        facts = self.evidence
        losses = (
            f"mean loss {facts.candidate_loss:.4f} of {facts.candidate} and"
            f" {facts.champion_loss:.4f} of {facts.champion} in {facts.count:,} comparisons"
            f" on {facts.window:,} labels"
        )
        if facts.quiet_labels is not None:
            return f"labels agree again, {facts.quiet_labels:,} of them; {losses}"
        if facts.flip_ratio is not None:
            flip = f"{facts.flip_ratio:.0e} times likelier flipped than correct"
            return f"labels contradict {facts.champion}: {flip}; {losses}"
        if facts.error_before is not None and facts.error_after is not None:
            rise = f"from {facts.error_before:.3f} to {facts.error_after:.3f}"
            return f"errors of {facts.champion} rose {rise}; {losses}"
        return f"{losses}: better by at least {facts.bound:.4f}, alpha {facts.alpha:.2g}"
