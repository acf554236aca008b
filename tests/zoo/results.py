"""The zoo's table: for each model what became of it on its way from a file to an answer."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["served", "refused", "wrong", "not serving"]
"""Served: answered, equal to the library. Refused: the import or the trial says why not. Wrong: an
answer differs. Not serving: published, but without answers."""


@dataclass(frozen=True, slots=True)
class ZooResult:
    """What became of one model.

    `max_difference` is the largest absolute difference from the library's own outputs, None if
    nothing was compared. `sentence` is the reason of a refusal or a failure, else empty.
    """

    library: str
    name: str
    outcome: Outcome
    max_difference: float | None = None
    sentence: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether the goal of the zoo forbids this: no answer is wrong, no model is dead."""
        return self.outcome in {"wrong", "not serving"}


def print_table(results: Iterable[ZooResult]) -> None:
    """Print one line per model, then the shares of the outcomes by library."""
    table = list(results)
    width = max((len(result.name) for result in table), default=0)
    for result in table:
        difference = "" if result.max_difference is None else f"{result.max_difference:.1e}"
        line = f"{result.library:<8} {result.name:<{width}} {result.outcome:<11} {difference:>8}"
        sys.stdout.write(f"{line}  {result.sentence}".rstrip() + "\n")
    for line in summarize(table):
        sys.stdout.write(f"{line}\n")


def summarize(results: Sequence[ZooResult]) -> list[str]:
    """Return a line per library: how many models had each outcome, and the largest difference."""
    lines = []
    for library in dict.fromkeys(result.library for result in results):
        of_library = [result for result in results if result.library == library]
        counts = Counter(result.outcome for result in of_library)
        largest = max((result.max_difference or 0.0 for result in of_library), default=0.0)
        told = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())
        share = counts["served"] / len(of_library)
        lines.append(f"{library}: {told}; {share:.0%} served, largest difference {largest:.1e}")
    return lines
