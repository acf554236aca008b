"""The values of a batch while the steps of a pipeline run, and what became of each row."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from modstream.models.pipelines.references import REQUEST, Reference
from modstream.models.schema.input_schema import Batch, InputSchema
from modstream.processors.errors import NoOutput, Refusal, StepFailed
from modstream.processors.pipeline.values import Mask, Value, nothing


class Outcome(IntEnum):
    """What became of a row in a step."""

    OK = 0
    SKIPPED = 1
    DEFAULT = 2
    FAILED = 3


@dataclass(slots=True)
class Reasons:
    """Why rows have no output that a step has computed: of many rows, and of single ones."""

    masks: list[tuple[Mask, str]] = field(default_factory=list)
    single: dict[int, str] = field(default_factory=dict)

    def of(self, row: int) -> str | None:
        """Return the first reason of a row."""
        found = self.single.get(row)
        return found or next((reason for mask, reason in self.masks if mask[row]), None)


@dataclass(slots=True)
class StepRun:
    """What a step did with a batch of n rows.

    `has_output` and `outcomes`, shape (n,), are None if all rows have an output that the step has
    computed. `reasons` tell of other rows why. `values` are the outputs by name.
    """

    name: str
    values: dict[str, Value] = field(default_factory=dict)
    has_output: Mask | None = None
    outcomes: np.ndarray[tuple[int], np.dtype[np.uint8]] | None = None
    reasons: Reasons = field(default_factory=Reasons)
    causes: dict[int, Refusal] = field(default_factory=dict)
    model: str | None = None
    version: int | None = None
    milliseconds: float = 0.0
    is_shadow: bool = False


class Failure(NamedTuple):
    """Why a row is answered with an error."""

    step: str | None
    cause: Refusal | str

    def refusal(self, pipeline: str, version: int) -> Refusal:
        """Return the error that the request of the row is answered with."""
        if self.step is None:
            return NoOutput(pipeline, version, str(self.cause))
        return StepFailed(pipeline, self.step, self.cause)


@dataclass(slots=True)
class Frame:
    """The rows of a batch, with the outputs of the steps so far."""

    schema: InputSchema
    batch: Batch
    runs: dict[str, StepRun] = field(default_factory=dict)
    failures: dict[int, Failure] = field(default_factory=dict)
    alive: Mask | None = None
    """The rows that can still be answered; None for all."""
    features: dict[str, Value] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of rows."""
        return self.batch.size

    def value(self, reference: Reference) -> Value:
        """Return the value of each row; missing where its step has no output."""
        if reference.source == REQUEST:
            return self._feature(reference.field)
        run = self.runs[reference.source]
        found = run.values.get(reference.field)
        if found is None:
            return nothing()
        return found if run.has_output is None else found.where(run.has_output)

    def fail(self, rows: dict[int, Failure]) -> None:
        """Answer rows with errors; the first error of a row counts."""
        if not rows:
            return
        self.alive = np.ones(self.size, np.bool_) if self.alive is None else self.alive
        for row, failure in rows.items():
            self.failures.setdefault(row, failure)
            self.alive[row] = False

    def _feature(self, name: str) -> Value:
        found = self.features.get(name)
        if found is None:
            found = self.features[name] = self._read_feature(name)
        return found

    def _read_feature(self, name: str) -> Value:
        column = self.batch.columns[name]
        feature = next(one for one in self.schema.features if one.name == name)
        if not feature.missing:
            return Value(column)
        if feature.kind == "float":
            missing = np.isnan(column)
        else:
            missing = np.array([one is None for one in column.tolist()], np.bool_)
        return Value(column, missing if missing.any() else None)
