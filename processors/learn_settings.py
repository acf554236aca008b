"""What can be set of a learner; apart from it, so that reading settings imports no library."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LearnSettings:
    """How a learner learns.

    `remember` is how many ids it knows again, so that a row that the joiner repeats after a
    crash is not learned twice; `probes` how many rows a new state must answer before it counts.
    """

    remember: int = 20_000
    probes: int = 32
    window: int = 2000
