"""The targets. Ratios are to the pass-through of the same records in the same round."""

from dataclasses import dataclass
from typing import Literal, Protocol

THROUGHPUT = "records/s"
REQUESTS = "requests/s"
CPU = "CPU us/record"
P50 = "p50 ms"
P99 = "p99 ms"
MEMORY = "memory MiB"
RELATIVE_THROUGHPUT = "relative throughput"
"""Throughput relative to that of the same system with the smallest size, in the same round."""
SCALING_PARTS = ("workers", "models", "payload KiB", "partitions")
"""The parts that measure throughput over an increasing size; their cases are numbers."""


class MeasurementLike(Protocol):
    """The fields of `bench.results.Measurement` that a target is compared with."""

    @property
    def part(self) -> str:
        """The part of the benchmark."""

    @property
    def case(self) -> str:
        """The workload, load or size."""

    @property
    def system(self) -> str:
        """The measured system."""

    @property
    def mode(self) -> str:
        """The delivery mode."""

    @property
    def measure(self) -> str:
        """The name of the measure."""


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on a value of modstream, or on its ratio to the pass-through.

    `case` is the first word of the measurement's case. `mode` is the delivery mode to which the
    target applies, None for both.
    """

    part: str
    case: str
    measure: str
    quantity: Literal["value", "ratio"]
    minimum: float | None = None
    maximum: float | None = None
    mode: str | None = None

    def __str__(self) -> str:
        bound = f">= {self.minimum:g}" if self.minimum is not None else f"<= {self.maximum:g}"
        return f"ratio {bound}" if self.quantity == "ratio" else bound

    def applies_to(self, measurement: MeasurementLike) -> bool:
        """Return whether the target applies to a measurement."""
        expected = (self.part, self.measure, "modstream")
        return (
            expected == (measurement.part, measurement.measure, measurement.system)
            and measurement.case.split(maxsplit=1)[0] == self.case
            and self.mode in {None, measurement.mode}
        )

    def is_met_by(self, value: float) -> bool:
        """Return whether a value, or a ratio, is within the bound."""
        if self.minimum is not None and value < self.minimum:
            return False
        return self.maximum is None or value <= self.maximum


TARGETS = (
    Target("saturation", "row8", THROUGHPUT, "ratio", minimum=0.95),
    Target("saturation", "row8", CPU, "ratio", maximum=1.8),
    Target("saturation", "oip8", THROUGHPUT, "ratio", minimum=0.95),
    Target("saturation", "bin8", THROUGHPUT, "ratio", minimum=1.0),
    Target("saturation", "bin8", CPU, "ratio", maximum=1.2),
    Target("saturation", "forest", THROUGHPUT, "ratio", minimum=0.9),
    Target("saturation", "ffnn", THROUGHPUT, "ratio", minimum=1.0),
    Target("saturation", "flights", THROUGHPUT, "ratio", minimum=0.8),
    Target("latency", "50%", P50, "value", maximum=8, mode="at_least_once"),
    Target("latency", "50%", P99, "value", maximum=25, mode="at_least_once"),
    Target("latency", "50%", P50, "value", maximum=20, mode="exactly_once"),
    Target("latency", "50%", P99, "value", maximum=60, mode="exactly_once"),
    Target("models", "64", RELATIVE_THROUGHPUT, "value", minimum=0.8),
    Target("idle", "idle", "CPU %", "value", maximum=2.0),
    Target("idle", "start", "seconds", "value", maximum=3.0),
    Target("gateway", "64", REQUESTS, "ratio", minimum=0.5, mode="REST"),
    Target("gateway", "64", "throughput of mlserver", "value", minimum=1.0),
    Target("gateway", "200/s", f"{P50} over the direct path", "value", maximum=5),
    Target("gateway", "200/s", f"{P99} over the direct path", "value", maximum=15),
    Target("gateway", "overload", "refusals without JSON or Retry-After", "value", maximum=0),
    Target("gateway", "overload", "memory growth MiB", "value", maximum=100),
    Target("gateway", "overload", "p99 times that without load", "value", maximum=2),
    Target("gateway", "overload", "p99 times that at the limit", "value", maximum=2),
    Target("gateway", "faults:", "lost", "value", maximum=0),
    Target("gateway", "faults:", "answered twice in the topic", "value", maximum=0),
    Target("gateway", "faults:", "not answered in the topic", "value", maximum=0),
    Target("gateway", "faults:", "tickets not redeemed", "value", maximum=0),
    Target("gateway", "faults:", "seconds to redeem all", "value", maximum=2),
)
