"""What can be set of a gate; apart from it, so that reading settings imports no library."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class GateSettings:
    """When a gate promotes and when it rolls back; all lengths are counted in labels.

    `alpha` is the chance that any challenger that is no better is promoted in a reign, and
    likewise that a sound champion is rolled back by the paired test; `margin` by how much, in
    mean loss, the better one must be better. `window` is when a test begins anew with less of
    alpha, so that old evidence does not weigh for ever. After a rollback nobody is promoted for
    `cool_down` labels. A version is the last good one once it and `ripe` labels after it brought
    no alarm. `chunk` rows are scored and learned at a time.
    """

    alpha: float = 0.05
    margin: float = 0.0002
    window: int = 20_000
    cool_down: int = 3000
    ripe: int = 2000
    chunk: int = 100
    detector: Literal["adwin", "kswin", "page_hinkley"] = "adwin"
    """River's detector on the stream of the champion's errors."""
    sensitivity: float = 2e-3
    """Of ADWIN its delta, of KSWIN its alpha; Page-Hinkley alarms at -5 times its logarithm."""
    error_scale: float = 1.0
    """Absolute error of a regression that counts as a loss of 1."""
