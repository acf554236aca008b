"""What a learner counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

KEPT = ("seen", "repeated", "revised", "quarantined", "internal_errors")
"""The counts, besides `learned`, that are kept with a version."""


@dataclass(slots=True)
class LearnerCounts:
    """Numbers of feedback records, in total of all processes that have learned one model.

    `internal_errors` are those of the quarantined records that an unforeseen exception set aside.
    `unscored` counts the predictions that are in no metric: their version is unknown, or their
    label is none of its classes. It starts at 0 in each process, as the metrics do.
    """

    learned: int = 0
    seen: int = 0
    repeated: int = 0
    revised: int = 0
    quarantined: int = 0
    internal_errors: int = 0
    unscored: int = 0

    def totals(self) -> dict[str, float]:
        """Return the counts that are kept with a version, for the process that continues from it.

        Those that are 0 are left out, except `learned`.
        """
        others = {name: getattr(self, name) for name in KEPT if getattr(self, name)}
        return {"learned": self.learned, **others}

    @classmethod
    def of_version(cls, metrics: Mapping[str, float]) -> Self:
        """Return the counts that were kept with a version."""
        kept = {name: int(metrics.get(name, 0)) for name in ("learned", *KEPT)}
        return cls(**kept)
