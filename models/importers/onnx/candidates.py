"""The outputs of an ONNX graph: which can be numbers, which can be labels, and what is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modstream.models.importers.onnx.graph import FLOATS, INTEGERS, LABELS, OnnxGraph, Value
from modstream.models.importers.onnx.labels import LabelOrigin, describe_label, label_parts
from modstream.models.importers.onnx.probe import Probe
from modstream.models.importers.onnx.scores import Meaning, ScoreOrigin, describe_scores
from modstream.models.runtimes.onnx_runtime import ROUNDING_TOLERANCE
from modstream.models.schema.columns import Scalar

SUM_TOLERANCE = 1e-3
"""Largest difference of a sum of probabilities from 1."""


@dataclass(frozen=True)
class Candidate:
    """An output of a graph; `measured` are its values for the probe's rows, (n, k)."""

    value: Value
    measured: NDArray[Any] | None

    @property
    def name(self) -> str:
        """The output's name."""
        return self.value.name

    @property
    def width(self) -> int | None:
        """The number of columns as measured, or else as declared."""
        return self.value.width if self.measured is None else int(self.measured.shape[1])


@dataclass(frozen=True)
class Numbers(Candidate):
    """An output of numbers."""

    origin: ScoreOrigin

    @cached_property
    def finite(self) -> NDArray[np.float64] | None:
        """The measured rows without those that are not finite; None if there are none."""
        if self.measured is None:
            return None
        rows = np.asarray(self.measured, dtype=np.float64)
        rows = rows[np.isfinite(rows).all(axis=1)]
        return rows if rows.size else None

    @property
    def meaning(self) -> Meaning | None:
        """What the graph says that they are, unless they were measured to be something else."""
        claimed = self.origin.meaning
        if claimed in {"probability", "sigmoid", "mixture"} and not self.may_be_shares:
            return None
        return claimed

    @property
    def may_be_shares(self) -> bool:
        """Whether no measured number is outside 0 to 1."""
        if self.finite is None:
            return True
        least, most = float(self.finite.min()), float(self.finite.max())
        return least >= -ROUNDING_TOLERANCE and most <= 1 + ROUNDING_TOLERANCE

    @property
    def are_measured_shares(self) -> bool:
        """Whether each measured row has two or more numbers, from 0 to 1, whose sum is 1."""
        if self.finite is None or self.finite.shape[1] == 1 or not self.may_be_shares:
            return False
        return bool((np.abs(self.finite.sum(axis=1) - 1) < SUM_TOLERANCE).all())

    @property
    def is_mirrored(self) -> bool:
        """Whether there are two columns, of which the first is the second's negative."""
        rows = self.finite
        return rows is not None and rows.shape[1] == 2 and bool((rows[:, 0] == -rows[:, 1]).all())

    @property
    def range(self) -> str:
        """The measured range, for messages."""
        if self.finite is None:
            return "unknown numbers"
        return f"numbers from {self.finite.min():.4g} to {self.finite.max():.4g}"


@dataclass(frozen=True)
class Labels(Candidate):
    """An output of labels; `parts` is what is known of each column if it has several."""

    origin: LabelOrigin
    parts: list[LabelOrigin]

    @property
    def raw_classes(self) -> tuple[Scalar, ...]:
        """The graph's own labels in the order of the scores; empty if they are not known."""
        return self.origin.classes

    @property
    def seen(self) -> list[Scalar]:
        """The measured labels of one column."""
        return [] if self.measured is None else self.measured[:, 0].tolist()


def numbers_of(
    graph: OnnxGraph, probe: Probe, zipmaps: Mapping[str, tuple[Scalar, ...]]
) -> list[Numbers]:
    """Return the outputs of floats, with the classes that a ZipMap names for them."""
    found = []
    for value in graph.outputs:
        if value.elem_type in FLOATS and not describe_label(graph, value.name).is_known:
            origin = describe_scores(graph, value.name)
            origin = origin._replace(classes=zipmaps.get(value.name) or origin.classes)
            found.append(Numbers(value, probe.columns(value.name), origin))
    return found


def integers_of(graph: OnnxGraph, probe: Probe) -> list[Numbers]:
    """Return the outputs of integers, as numbers."""
    return [
        Numbers(value, probe.columns(value.name), ScoreOrigin(None, (), value.name))
        for value in graph.outputs
        if value.elem_type in INTEGERS
    ]


def labels_of(graph: OnnxGraph, probe: Probe) -> list[Labels]:
    """Return the outputs that can be labels: integers, strings, bools, and labels as floats."""
    found = []
    for value in graph.outputs:
        origin = describe_label(graph, value.name)
        if value.elem_type in LABELS or origin.is_known:
            parts = label_parts(graph, value.name)
            found.append(Labels(value, probe.columns(value.name), origin, parts))
    return found
