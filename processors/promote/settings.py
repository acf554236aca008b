"""What can be set of a gate; apart from it, so that reading settings imports no library."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class GateSettings:
    """When a gate promotes and when it rolls back; lengths are in labels, or else in comparisons.

    `alpha` is the chance that any challenger that is no better is promoted in a reign; `margin` by
    how much, in mean loss, the better one must be better, and in how many comparisons at `least`.
    `window` is after how many a test begins anew with less of alpha, so that old evidence does not
    weigh for ever.

    After a rollback nobody is promoted for `cool_down` labels; but if `calm` labels raise no other
    alarm, the one who was rolled back serves again unless it proved worse on them; at once if the
    alarm was a contradiction and labels agree again. A version is the last good one once it and
    `ripe` labels after it brought no alarm. `chunk` rows are scored and learned at a time.
    """

    alpha: float = 0.05
    margin: float = 0.0002
    least: int = 1000
    window: int = 20_000
    cool_down: int = 3000
    calm: int = 1000
    ripe: int = 2000
    chunk: int = 100
    detector: Literal["adwin", "kswin", "page_hinkley"] = "adwin"
    """River's detector on the stream of the champion's errors."""
    sensitivity: float = 1e-6
    """Of ADWIN its delta, of KSWIN its alpha; Page-Hinkley alarms at -5 times its logarithm."""
    doubt: float = 5e8
    """Labels contradict the champion once they are so many times likelier turned round than as they
    were told; infinity never finds that. Binary tasks only."""
    spoilt: float = 0.05
    """A learner that was contradicted goes back to what it knew before, if its AUC on the labels
    that agree again has become so much lower."""
    loss: Literal["rank", "score"] = "rank"
    """What members of a binary task are compared by: the order of their answers, as in AUC, or
    Brier's score, which also asks how sure they are."""
    error_scale: float = 1.0
    """Absolute error of a regression that counts as a loss of 1."""
