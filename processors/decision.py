"""What a gate decides; apart from it, so that telling of it imports no library."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Decision:
    """Who serves from now on, and the evidence.

    `count` labels were compared, of `window` since the champion began; `champion_loss` and
    `member_loss` are the mean losses of both on them, `bound` what the member gains at least, but
    for a chance of `alpha`. If it was an alarm that decided, the champion's mean error rose from
    `error_before` to `error_after`.
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

    @property
    def is_alarm(self) -> bool:
        """Whether the champion's errors rose, whoever else was better."""
        return self.error_after is not None

    @property
    def because(self) -> str:
        """The decision in one sentence."""
        told = (
            f"{self.member} loses {self.member_loss:.4f} and {self.former} {self.champion_loss:.4f}"
            f" on {self.count:,} labels of {self.window:,}"
        )
        if self.error_before is None or self.error_after is None:
            return f"{told}: better by {self.bound:.4f} at least, alpha {self.alpha:.2g}"
        rose = f"from {self.error_before:.3f} to {self.error_after:.3f}"
        return f"errors of {self.former} rose {rose}; {told}"
