"""The state of one model's conformal thresholds, and its stored form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np
from msgspec import MsgspecError, Struct, msgpack

from modstream.models.evaluation.monitoring.conformal import AdaptiveConformal, ConformalSettings
from modstream.models.evaluation.served_sets import ServedThreshold
from modstream.models.schema.card import Task
from modstream.processors.conformal.settings import ServedSetSettings
from modstream.processors.errors import UnreadableConformalState

MAX_VERSIONS = 20
"""Number of versions of a model whose outcomes are counted, the newest ones."""
FORMAT = 1
MAX_GAIN = 0.5
"""The most that the adaptive level changes while a label is on its way (step times delay). An
integral controller with a delay oscillates at 1.57, and settles without an overshoot below 0.37."""
DELAY_LABELS = 1000
"""Number of labels over which their delay is averaged. The step must not depend on the delay of its
own label: if late labels are other labels, the coverage of all would miss its aim."""


class Outcomes(NamedTuple):
    """How many labels had a set or interval in their answer, and how many of them were inside."""

    served: int = 0
    inside: int = 0

    def values(self) -> dict[str, float]:
        """Return the numbers and, if there are any, the share inside as metrics."""
        numbers = {"served": float(self.served), "inside": float(self.inside)}
        return {**numbers, "coverage": self.inside / self.served} if self.served else numbers

    def plus(self, *, is_inside: bool) -> "Outcomes":
        """Return the numbers with one label more."""
        return Outcomes(self.served + 1, self.inside + is_inside)


NO_OUTCOMES = Outcomes()


class StoredModelState(Struct, frozen=True):
    """A `ModelState` as it is stored; the scores are little-endian float64, the oldest first."""

    task: Task
    newest: int
    coverage: float
    alpha: float
    labels: int
    scores: bytes
    delay: float
    outcomes: Outcomes
    versions: dict[int, Outcomes]
    format: int = FORMAT


@dataclass(slots=True)
class ModelState:
    """What the labels of one model have said so far.

    Attributes:
        task: the task of its versions.
        coverage: the coverage that is aimed at.
        adaptive: the adaptive level and the newest scores.
        newest: the highest version that predicted.
        labels: the number of labels.
        delay: the mean number of labels that arrive between an answer with a set and its label.
        outcomes: those of all labels since the coverage was set.
        versions: those of each of the newest versions.
    """

    task: Task
    coverage: float
    adaptive: AdaptiveConformal
    newest: int = 0
    labels: int = 0
    delay: float = 0.0
    outcomes: Outcomes = NO_OUTCOMES
    versions: dict[int, Outcomes] = field(default_factory=dict)

    @classmethod
    def new(cls, task: Task, coverage: float, settings: ServedSetSettings) -> Self:
        """Return a state without labels."""
        return cls(task, coverage, _adaptive(coverage, settings))

    def add(self, version: int, score: float, *, is_inside: bool | None, made_of: int = 0) -> None:
        """Add a label.

        Args:
            version: the version that answered.
            score: the score of the label.
            is_inside: whether the answer's set or interval had the label, None if it had neither;
                such a label leaves the adaptive level as it is.
            made_of: the number of labels that the set or interval was made of.
        """
        if is_inside is not None:
            self._count(version, is_inside=is_inside)
            weight = 1 / min(self.outcomes.served, DELAY_LABELS)
            self.delay += weight * (max(0, self.labels - made_of) - self.delay)
            step = min(self.adaptive.settings.step, MAX_GAIN / max(1.0, self.delay))
            self.adaptive.count_outcome(is_outside=not is_inside, step=step)
        self.labels += 1
        self.newest = max(self.newest, version)
        self.adaptive.add_score(score)

    def threshold(self, min_labels: int) -> ServedThreshold | None:
        """Return the threshold of new answers; None before `min_labels` labels."""
        if self.labels < min_labels:
            return None
        value = self.adaptive.threshold()
        return ServedThreshold(self.task, self.coverage, self.labels, value)

    def values(self) -> dict[str, float]:
        """Return the metrics of the model."""
        return {
            "labels": self.labels,
            **self.outcomes.values(),
            "delay": self.delay,
            "target": self.coverage,
            "level": 1 - self.adaptive.alpha,
        }

    def encode(self) -> bytes:
        """Return the state as it is stored."""
        scores = np.array(self.adaptive.scores, "<f8").tobytes()
        stored = StoredModelState(
            *(self.task, self.newest, self.coverage, self.adaptive.alpha, self.labels, scores),
            delay=self.delay,
            outcomes=self.outcomes,
            versions=self.versions,
        )
        return msgpack.encode(stored)

    @classmethod
    def decode(cls, stored: bytes, coverage: float, settings: ServedSetSettings) -> Self:
        """Return a stored state; if it aimed at another coverage, its level starts again.

        Raises:
            UnreadableConformalState: it is damaged, or has a format unknown to this code.
        """
        try:
            found = msgpack.decode(stored, type=StoredModelState)
            scores = np.frombuffer(found.scores, "<f8").tolist()
        except (MsgspecError, ValueError) as error:
            raise UnreadableConformalState(str(error)) from error
        if found.format != FORMAT:
            raise UnreadableConformalState(f"its format is {found.format}, not {FORMAT}")
        state = cls.new(found.task, coverage, settings)
        state.newest, state.labels = found.newest, found.labels
        if found.coverage == coverage:
            state.outcomes, state.versions = found.outcomes, found.versions
            state.delay = found.delay
            state.adaptive.alpha = found.alpha
        state.adaptive.restore(state.adaptive.alpha, scores)
        return state

    def _count(self, version: int, *, is_inside: bool) -> None:
        self.outcomes = self.outcomes.plus(is_inside=is_inside)
        if version not in self.versions and len(self.versions) == MAX_VERSIONS:
            oldest = min(self.versions)
            if version < oldest:
                return
            del self.versions[oldest]
        known = self.versions.get(version, NO_OUTCOMES)
        self.versions[version] = known.plus(is_inside=is_inside)


def _adaptive(coverage: float, settings: ServedSetSettings) -> AdaptiveConformal:
    return AdaptiveConformal(ConformalSettings(1 - coverage, settings.step, settings.window))


def encode_thresholds(thresholds: Mapping[str, ServedThreshold]) -> bytes:
    """Return thresholds by model as they are published for workers."""
    return msgpack.encode(dict(thresholds))


def decode_thresholds(published: bytes) -> dict[str, ServedThreshold]:
    """Return published thresholds by model.

    Raises:
        UnreadableConformalState: they are damaged.
    """
    try:
        return msgpack.decode(published, type=dict[str, ServedThreshold])
    except MsgspecError as error:
        raise UnreadableConformalState(str(error)) from error
