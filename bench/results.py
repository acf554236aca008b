"""What was found, round by round, and what it comes to: medians, spreads, ratios, goals."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

from bench.targets import GOALS, Goal


class Finding(NamedTuple):
    """One figure of one round.

    `part` and `case` say what was measured on what, `subject` and `mode` of whom; `measure` is the
    figure's name with its unit. `limit` is what the limit reached in the same round, if it ran.
    """

    part: str
    case: str
    subject: str
    mode: str
    measure: str
    value: float
    limit: float | None = None


class Gap(NamedTuple):
    """A figure that there is none of, and why."""

    part: str
    case: str
    subject: str
    mode: str
    reason: str


@dataclass(slots=True)
class Book:
    """All that was found so far."""

    findings: list[Finding] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def add(self, one: Finding | Gap) -> None:
        """Write it down."""
        if isinstance(one, Finding):
            self.findings.append(one)
        else:
            self.gaps.append(one)


@dataclass(frozen=True, slots=True)
class Summary:
    """One figure over all rounds; `ratio` is the median of the rounds' ratios to the limit."""

    of: Finding
    rounds: int
    middle: float
    low: float
    high: float
    ratio: float | None
    goal: Goal | None

    @property
    def reached(self) -> bool | None:
        """Whether the goal was reached; None where there is none, or nothing to hold it against."""
        if self.goal is None:
            return None
        found = self.ratio if self.goal.of == "ratio" else self.middle
        return None if found is None else self.goal.is_reached(found)


def summaries(findings: Iterable[Finding]) -> list[Summary]:
    """One line for each figure, in the order in which they were first found."""
    rounds: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        rounds.setdefault(finding[:5], []).append(finding)
    return [_summary(found) for found in rounds.values()]


def with_limits(findings: Sequence[Finding], limit: Callable[[Finding], bool]) -> list[Finding]:
    """The findings of one round, each beside what the limit of its mode reached."""
    reached = {(f.mode, f.measure): f.value for f in findings if limit(f)}
    return [f._replace(limit=reached.get((f.mode, f.measure))) for f in findings]


def _summary(found: Sequence[Finding]) -> Summary:
    values = [finding.value for finding in found]
    ratios = [finding.value / finding.limit for finding in found if finding.limit]
    first = found[0]
    goal = next((goal for goal in GOALS if goal.is_for(first)), None)
    return Summary(
        of=first,
        rounds=len(values),
        middle=median(values),
        low=min(values),
        high=max(values),
        ratio=median(ratios) if ratios else None,
        goal=goal,
    )
