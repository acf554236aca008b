"""Prequential metrics: what each version said before the truth was known, scored when it is.

Method: A. P. Dawid, "Statistical theory: the prequential approach", JRSS A 147 (1984); over a
sliding window as J. Gama et al., "On evaluating stream learning algorithms", Machine Learning 90
(2013) advise for models that change.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.contracts import Feedback, Metrics, Scalar, Scored
from models.card import Task
from models.scoring import Answer, figures
from processors.outlooks import Outlooks
from processors.outputs import NAMES

SINGLE = frozenset({"binary", "regression", "anomaly"})
"""The tasks whose answer to a row is one number."""


@dataclass(slots=True)
class Pairs:
    """The last truths and answers of one model or version, and how many there were in all."""

    task: Task
    truths: deque[Scalar]
    answers: deque[Answer]
    count: int = 0
    newest_version: int = 0

    def add(self, truth: Scalar, answer: Answer) -> None:
        """Score one more pair."""
        self.truths.append(truth)
        self.answers.append(answer)
        self.count += 1


@dataclass(slots=True)
class Prequential:
    """Figures per model over its last `window` labelled answers, and per version.

    The newest `versions` versions of each model are followed; labels of older ones still count
    for their model.
    """

    window: int = 2000
    versions: int = 20
    _models: dict[str, Pairs] = field(default_factory=dict)
    _versions: OrderedDict[tuple[str, int], Pairs] = field(default_factory=OrderedDict)
    _changed: set[tuple[str, int]] = field(default_factory=set)
    _outlooks: Outlooks = field(default_factory=Outlooks)

    def add(self, feedback: Feedback) -> None:
        """Score all answers that one label is the truth of."""
        for scored in feedback.predictions:
            told = scored_of(scored.outputs)
            if told is not None and comparable(told[0], feedback.label):
                self._add(scored, *told, feedback.label)
        for step in self._outlooks.add(feedback):
            self._add(step.scored, "forecast", (step.number, step.value), step.truth)

    def metrics(self, event_time: int, offsets: Mapping[str, int]) -> Iterator[Metrics]:
        """Figures of every model and of each version that has new labels since last asked."""
        for model, pairs in self._models.items():
            yield self._figures(model, None, pairs, event_time, offsets)
        for model, version in sorted(self._changed):
            pairs = self._versions[model, version]
            yield self._figures(model, version, pairs, event_time, offsets)
        self._changed.clear()

    def _add(self, scored: Scored, task: Task, answer: Answer, truth: Scalar) -> None:
        model = self._models.setdefault(scored.model, self._pairs(task))
        model.add(truth, answer)
        model.newest_version = max(model.newest_version, scored.version)
        key = (scored.model, scored.version)
        self._versions.setdefault(key, self._pairs(task)).add(truth, answer)
        self._changed.add(key)
        mine = [known for known in self._versions if known[0] == scored.model]
        if len(mine) > self.versions:
            oldest = min(mine)
            del self._versions[oldest]
            self._changed.discard(oldest)

    def _pairs(self, task: Task) -> Pairs:
        return Pairs(task, deque(maxlen=self.window), deque(maxlen=self.window))

    def _figures(
        self,
        model: str,
        version: int | None,
        pairs: Pairs,
        event_time: int,
        offsets: Mapping[str, int],
    ) -> Metrics:
        values = figures(list(pairs.truths), list(pairs.answers), pairs.task)
        return Metrics(
            kind="prequential",
            model=model,
            version=version,
            event_time=event_time,
            values={"labelled": pairs.count, "window": len(pairs.truths), **values},
            offsets=dict(offsets),
        )


def answer_of(outputs: Mapping[str, Any]) -> tuple[Task, Scalar] | None:
    """The one value of an answer, of several classes the likeliest, and the task that it shows.

    A forecast has no such value: each of its steps has a label of its own.
    """
    if "label" in outputs:
        return "multiclass", outputs["label"]
    single = ((task, name) for task, name in NAMES.items() if task in SINGLE)
    return next(((task, outputs[name]) for task, name in single if name in outputs), None)


def scored_of(outputs: Mapping[str, Any]) -> tuple[Task, Answer] | None:
    """What of an answer is held against a label: its one value, or the probabilities of classes."""
    if "probabilities" in outputs:
        return "multiclass", outputs["probabilities"]
    return answer_of(outputs)


def comparable(task: Task, label: Scalar) -> bool:
    """Whether a label can be the truth of an answer of this task."""
    if task in {"binary", "anomaly"}:
        return label in (0, 1)
    return task == "multiclass" or (isinstance(label, int | float) and label == label)  # noqa: PLR0124 - NaN
