"""Settings of the promotion gate, in their own module: reading them imports no River."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class GateSettings:
    """When the gate promotes a challenger and when it rolls the champion back.

    Lengths are numbers of labels, except where they are numbers of comparisons.
    """

    alpha: float = 0.05
    """Bound on the probability that any challenger that is not better is promoted during one term
    of a champion."""
    margin: float = 0.0002
    """Minimum gain in mean loss that a test must prove."""
    min_comparisons: int = 1000
    """Minimum number of comparisons before a challenger is promoted."""
    test_window: int = 20_000
    """Comparisons after which a test is restarted at a smaller share of alpha, so that old
    evidence expires."""
    cooldown: int = 3000
    """Labels after a rollback during which no challenger is promoted."""
    quiet_labels: int = 1000
    """Labels without a new alarm after which a champion that was rolled back serves again, unless
    it proved worse on them. If the alarm was a flip of the labels, it serves again as soon as the
    labels are correct again."""
    stable_after: int = 2000
    """A version becomes the last-good version after it and the next `stable_after` labels raised no
    alarm."""
    chunk_rows: int = 100
    """Number of rows that are compared and then learned at a time."""
    detector: Literal["adwin", "kswin", "page_hinkley"] = "adwin"
    """River's drift detector on the champion's errors."""
    detector_sensitivity: float = 1e-6
    """ADWIN's delta or KSWIN's alpha; Page-Hinkley's threshold is -5 times its logarithm."""
    flip_threshold: float = 5e8
    """Labels contradict the champion once they are this many times likelier flipped than correct;
    infinity switches the detection off. Binary tasks only."""
    max_auc_loss: float = 0.05
    """After flipped labels, a learner is restored to its state before the flip if its AUC on the
    labels that are correct again is lower by more than this."""
    loss: Literal["rank", "score"] = "rank"
    """Loss by which candidates of a binary task are compared: `rank` is one minus AUC, by pairs of
    labels; `score` is the Brier score, which also measures calibration."""
    error_scale: float = 1.0
    """Absolute error of a regression that counts as a loss of 1."""
