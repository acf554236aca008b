"""Do labels contradict what a model says? Evidence that they are turned round, label by label.

Method: if labels came as the model says, the likelihood ratio of "turned round" to "as said", to a
power of at most 1, has at most 1 as its mean. The Shiryaev-Roberts sum over all beginnings of such
ratios, R = (R + 1) * ratio, is then an e-detector: on average at least `bound` labels pass until it
exceeds that bound without a cause (J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a nonparametric
framework for sequential change detection", New England Journal of Statistics in Data Science, 2023;
A. N. Shiryaev, 1963; S. W. Roberts, 1966). The power is there because no model is calibrated when
a storm comes: its doubt shall take dozens of labels, and not three.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import numpy.typing as npt

from models.card import ModelCard
from models.runtime import Outputs
from models.schema import Scalar
from processors.losses import positives

Floats = npt.NDArray[np.float64]

SUREST = 4.0
"""Log odds beyond which an answer counts as no surer."""


def doubts(card: ModelCard, said: Outputs | None, labels: Sequence[Scalar]) -> Floats:
    """The logarithm of each label's likelihood ratio, (n,); of tasks but the binary none.

    An answer that is not finite says nothing: 0.
    """
    if said is None or card.task != "binary":
        return np.empty(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.clip(np.log(said) - np.log1p(-said), -SUREST, SUREST)
    turned: Floats = np.where(positives(card, labels) > 0, -odds, odds)
    return np.nan_to_num(turned)


@dataclass(slots=True)
class Doubt:
    """The sum over a stream of labels; begins anew after each alarm.

    `bound` is the mean number of labels between two alarms without a cause, `power` that of the
    likelihood ratios, in (0, 1].
    """

    bound: float = 1e6
    power: float = 0.25
    _log_sum: float = -np.inf

    def add(self, ratios: Floats) -> bool:
        """Take logarithms of likelihood ratios in order; whether the bound was exceeded."""
        raised = False
        for ratio in ratios.tolist():
            self._log_sum = float(np.logaddexp(self._log_sum, 0.0)) + self.power * ratio
            if self._log_sum > log(self.bound):
                raised, self._log_sum = True, -np.inf
        return raised
