"""What a gate decides; apart from it, so that telling of it imports no library."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Decision:
    """Who serves from now on, and the evidence.

    `count` comparisons were made, of labels or of pairs of them, in the `window` labels since the
    champion began; `champion_loss` and `member_loss` are the mean losses of both, `bound` what the
    member gains at least, but for a chance of `alpha`. If it was an alarm that decided, the
    champion's mean error rose from `error_before` to `error_after`, or labels contradict it: they
    are more than `doubt` times likelier turned round. If it was the end of one, `calm` labels
    agreed.
    """

    action: Literal["promote", "rollback"]
    member: str
    former: str
    window: int
    count: int
    champion_loss: float
    member_loss: float
    bound: float
    alpha: float
    error_before: float | None = None
    error_after: float | None = None
    doubt: float | None = None
    calm: int | None = None

    @property
    def is_alarm(self) -> bool:
        """Whether the champion raised an alarm, whoever else was better."""
        return self.error_after is not None or self.doubt is not None

    @property
    def because(self) -> str:
        """The decision in one sentence."""
        told = (
            f"{self.member} loses {self.member_loss:.4f} and {self.former} {self.champion_loss:.4f}"
            f" in {self.count:,} comparisons on {self.window:,} labels"
        )
        if self.calm is not None:
            return f"labels agree again, {self.calm:,} of them; {told}"
        if self.doubt is not None:
            return (
                f"labels contradict {self.former}: {self.doubt:.0e} times likelier turned; {told}"
            )
        if self.error_before is not None and self.error_after is not None:
            rose = f"from {self.error_before:.3f} to {self.error_after:.3f}"
            return f"errors of {self.former} rose {rose}; {told}"
        return f"{told}: better by {self.bound:.4f} at least, alpha {self.alpha:.2g}"
