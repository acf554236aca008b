"""The rows of a trial, and what the original model predicts for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

OriginalOutputs = npt.NDArray[np.float64] | Sequence[Mapping[str, object]]
"""Outputs in the form of the runtime: an array like that of `Runtime.predict`, or the values of
each row like those of `NamedRuntime.predict_rows`."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Rows that the trial of a version predicts, and what the original model predicts for them.

    `rows` are raw rows by feature name, as in a request. `outputs` has one entry for each row, in
    the form of the version's runtime; None if there is no original besides the artifact itself.
    `tolerance` is the largest difference from `outputs` that counts as equal: absolute for
    magnitudes below 1, relative above.
    """

    rows: Sequence[Mapping[str, object]]
    outputs: OriginalOutputs | None = None
    tolerance: float = 1e-4
