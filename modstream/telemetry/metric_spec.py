"""The specification of a metric."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Buckets of a duration, in seconds."""

MAX_MODELS = 50
"""Number of models that have series of their own; all others share the label value `other`."""


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric. At most `max_series` sets of label values have series; the rest share `other`."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    max_series: int = MAX_MODELS
