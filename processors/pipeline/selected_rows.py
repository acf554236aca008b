"""The rows that a step runs on, and those on which it failed."""

import numpy as np

from modstream.processors.errors import Refusal
from modstream.processors.pipeline.frame import Frame, Reasons
from modstream.processors.pipeline.values import Column, Mask


class SelectedRows:
    """The rows that a step runs on, and those on which it failed, with the reasons.

    `selected` and `failed` have shape (n,); None stands for all, and for none.
    """

    def __init__(self, frame: Frame) -> None:
        self._size = frame.size
        self.selected: Mask | None = None
        self.failed: Mask | None = None
        self.reasons = Reasons()
        self.causes: dict[int, Refusal] = {}

    def indices(self) -> Column:
        """Return the positions of the rows to run on, without those that have failed."""
        if self.selected is None and self.failed is None:
            return np.arange(self._size)
        left = np.ones(self._size, np.bool_) if self.selected is None else self.selected
        return np.flatnonzero(left if self.failed is None else left & ~self.failed)

    def skip(self, mask: Mask, reason: str) -> None:
        """Do not run on some rows, unless the step has failed on them."""
        if self.failed is not None:
            mask = mask & ~self.failed
        if mask.any():
            self.reasons.masks.append((mask, reason))
            kept = ~mask
            self.selected = kept if self.selected is None else self.selected & kept

    def fail(self, mask: Mask, reason: str) -> None:
        """Fail some of the rows that are run on."""
        if self.selected is not None:
            mask = mask & self.selected
        if mask.any():
            self.reasons.masks.append((mask, reason))
            self.failed = mask.copy() if self.failed is None else self.failed | mask

    def fail_all(self, reason: str, cause: Refusal | None = None) -> None:
        """Fail all rows that are run on."""
        mask = np.ones(self._size, np.bool_) if self.selected is None else self.selected
        self.fail(mask, reason)
        if cause is not None:
            self.causes.update(dict.fromkeys(np.flatnonzero(mask).tolist(), cause))

    def fail_each(self, reasons: dict[int, str]) -> None:
        """Fail rows with a reason of each."""
        if reasons:
            mask = np.zeros(self._size, np.bool_)
            mask[list(reasons)] = True
            self.reasons.single.update(reasons)
            self.failed = mask if self.failed is None else self.failed | mask
