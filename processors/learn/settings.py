"""What can be set of a learner; apart from it, so that reading settings imports no library."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """What the guard lets pass; docs/learning.md explains the rules. A rule's bound of 0 is off."""

    unknown_features: int = 100
    """Most features of a row that the model does not know."""
    outlier: float = 30.0
    """Most robust deviations of a number from the median of recent rows."""
    loss: float = 10.0
    """Most loss of a row under the version that answered it, in nats; of a regression, the most
    robust deviations of its error."""
    window: int = 1000
    """Recent rows that medians and allowance are taken over."""
    fewest: int = 50
    """Rows that have to be known before a row is called an outlier."""
    soft_share: float = 0.05
    """Most of the recent rows that are refused as outliers or losses; more is drift, and passes."""
    budget: float = 0.25
    """Share of a source's recent rows that may be refused before all of them are."""
    budget_window: int = 200
    """Recent rows of a source that its budget is about."""
    penalty: int = 1000
    """Rows for which a source that spent its budget is refused whole."""
    source: str = ""
    """Header or feature that names a row's source; without it the source is the partition."""


@dataclass(frozen=True, slots=True)
class InputSettings:
    """How the features of what is learned are watched for a change; an `every` of 0 is off."""

    every: int = 10
    """One row in so many is looked at."""
    sensitivity: float = 1e-6
    """ADWIN's delta, for all features together."""


@dataclass(frozen=True, slots=True)
class LearnSettings:
    """How a learner learns."""

    remember: int = 20_000
    """Ids that are known again, so that a row that the joiner repeats after a crash is not
    learned twice."""
    probes: int = 8
    """Rows that a new state must give finite answers to before it counts."""
    window: int = 2000
    """Newest labelled answers of a model or version that its figures are over."""
    copy_share: float = 0.02
    """Share of the time that copies of the model may take."""
    relearn: int = 10_000
    """Most rows that are learned again when one after them could not be."""
    guard: GuardSettings = field(default_factory=GuardSettings)
    """What may be learned."""
    inputs: InputSettings = field(default_factory=InputSettings)
    """How it is told that rows are no longer like those before."""
