"""One experiment: a training and its figures, as a line of the journal."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

FORMAT = 1
"""The version of the form of a line."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class DataRecord(_Part):
    """The rows of an experiment: where they are from, and a hash of what was trained on.

    `test_sha256` is the hash of the rows that the model was tested on, and `test_openings` how
    often a model was tested on them, this time included.
    """

    source: str
    sha256: str
    rows: int
    features: tuple[str, ...]
    test_rows: int
    test_sha256: str
    test_openings: int = 1


class TrialSummary(_Part):
    """A trial of the search: its scores in the folds, their mean and their deviation."""

    kind: str
    hyperparameters: Mapping[str, Any] = Field(default_factory=dict)
    mean: float | None
    deviation: float | None
    folds: int
    stride: int
    cpu_seconds: float
    scores: tuple[float, ...] = ()


class SliceRecord(_Part):
    """A group of rows of the folds on which the chosen model errs most: its mean loss.

    `rest_loss` is the mean loss of all other rows, `p_value` that of the test, adjusted.
    """

    name: str
    rows: int
    loss: float
    rest_loss: float | None
    p_value: float | None = None


class ConfusionRecord(_Part):
    """The number of test rows by true class (rows) and predicted class (columns).

    `threshold` is the probability from which the second class of two is predicted.
    """

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    threshold: float | None = None


class TriggerRecord(_Part):
    """Why a retrainer has trained: a sentence, and the figures that it found, by name."""

    kind: str
    reason: str
    figures: Mapping[str, float] = Field(default_factory=dict)


class Experiment(_Part):
    """A training: its specification, code, data and figures.

    `state` is `failed` if it ended with an error, of which `reason` is the text. `version` is the
    version that was published, if one was. `searched` and `spent` are seconds by clock, of the
    search and of the whole training. `artifact_sha256` is the hash of the model. `trigger` is set
    if a retrainer has begun it.
    """

    format: int = FORMAT
    id: str
    time: str
    model: str
    task: str
    state: Literal["accepted", "rejected", "failed"]
    reason: str
    code: str
    settings: Mapping[str, Any]
    data: DataRecord
    metric: str
    chosen: TrialSummary | None = None
    trials: tuple[TrialSummary, ...] = ()
    metrics: Mapping[str, float] = Field(default_factory=dict)
    decision: Mapping[str, float] | None = None
    searched: Mapping[str, float] = Field(default_factory=dict)
    spent: Mapping[str, float] = Field(default_factory=dict)
    libraries: Mapping[str, str] = Field(default_factory=dict)
    version: int | None = None
    report: str | None = None
    trigger: TriggerRecord | None = None
    artifact_sha256: str = ""
    slices: tuple[SliceRecord, ...] = ()
    confusions: tuple[ConfusionRecord, ...] = ()
