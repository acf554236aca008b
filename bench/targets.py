"""The goals. Ratios are to the raw pass-through of the same bytes in the same round."""

from dataclasses import dataclass
from typing import Literal, Protocol

THROUGHPUT = "records/s"
CPU = "CPU us/record"
P50 = "p50 ms"
P99 = "p99 ms"
MEMORY = "memory MiB"
SHARE = "of the smallest's"
"""Throughput as a share of the same subject's in the same round, before anything has grown."""
GROWING = ("workers", "models", "payload KiB", "partitions")
"""The parts that show how throughput changes as something grows; their cases are numbers."""


class Named(Protocol):
    """What a goal is held against; see `bench.results.Finding`."""

    @property
    def part(self) -> str:
        """What was measured."""

    @property
    def case(self) -> str:
        """On what."""

    @property
    def subject(self) -> str:
        """Of whom."""

    @property
    def mode(self) -> str:
        """By which delivery."""

    @property
    def measure(self) -> str:
        """Which figure."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on a figure of modstream's, or on its ratio to the limit's.

    `case` is the first word of the case; `mode` the delivery that it holds for, None for both.
    """

    part: str
    case: str
    measure: str
    of: Literal["value", "ratio"]
    least: float | None = None
    most: float | None = None
    mode: str | None = None

    def __str__(self) -> str:
        bound = f">= {self.least:g}" if self.least is not None else f"<= {self.most:g}"
        return f"ratio {bound}" if self.of == "ratio" else bound

    def is_for(self, found: Named) -> bool:
        """Whether this is the goal of a figure."""
        wanted = (self.part, self.measure, "modstream")
        return (
            wanted == (found.part, found.measure, found.subject)
            and found.case.split(maxsplit=1)[0] == self.case
            and self.mode in {None, found.mode}
        )

    def is_reached(self, value: float) -> bool:
        """Whether a figure, or its ratio, is good enough."""
        if self.least is not None and value < self.least:
            return False
        return self.most is None or value <= self.most


GOALS = (
    Goal("saturation", "row8", THROUGHPUT, "ratio", least=0.95),
    Goal("saturation", "row8", CPU, "ratio", most=1.8),
    Goal("saturation", "oip8", THROUGHPUT, "ratio", least=0.95),
    Goal("saturation", "bin8", THROUGHPUT, "ratio", least=1.0),
    Goal("saturation", "bin8", CPU, "ratio", most=1.2),
    Goal("saturation", "forest", THROUGHPUT, "ratio", least=0.9),
    Goal("saturation", "ffnn", THROUGHPUT, "ratio", least=1.0),
    Goal("saturation", "flights", THROUGHPUT, "ratio", least=0.8),
    Goal("latency", "50%", P50, "value", most=8, mode="at_least_once"),
    Goal("latency", "50%", P99, "value", most=25, mode="at_least_once"),
    Goal("latency", "50%", P50, "value", most=20, mode="exactly_once"),
    Goal("latency", "50%", P99, "value", most=60, mode="exactly_once"),
    Goal("models", "64", SHARE, "value", least=0.8),
    Goal("standing", "idle", "CPU %", "value", most=2.0),
    Goal("standing", "start", "seconds", "value", most=3.0),
)
