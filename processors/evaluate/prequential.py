"""Prequential metrics: what each version said before the truth was known, scored when it is.

Method: A. P. Dawid, "Statistical theory: the prequential approach", JRSS A 147 (1984); over a
sliding window as J. Gama et al., "On evaluating stream learning algorithms", Machine Learning 90
(2013) advise for models that change.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from modstream.broker.wire.contracts import Metrics
from modstream.broker.wire.features import Scalar
from modstream.broker.wire.feedback_codec import Saying, Told
from modstream.models.evaluation.metrics import Answer, figures
from modstream.models.schema.card import Task
from modstream.processors.evaluate.pending_forecasts import Outlooks
from modstream.processors.predict.outputs import NAMES

SINGLE: tuple[tuple[Task, str], ...] = (
    ("binary", NAMES["binary"]),
    ("regression", NAMES["regression"]),
    ("anomaly", NAMES["anomaly"]),
)
"""The tasks whose answer to a row is one number, and what that is called."""


@dataclass(slots=True)
class Pairs:
    """The newest truths and answers of one model or version, by request id.

    `count` is how many there were in all; a join that is repeated, or corrected, is no new one.
    """

    task: Task
    window: int
    count: int = 0
    known: OrderedDict[str, tuple[Scalar, Answer]] = field(default_factory=OrderedDict)

    def add(self, request_id: str, truth: Scalar, answer: Answer) -> None:
        """Score one more pair, or this one again."""
        if request_id not in self.known:
            self.count += 1
            if len(self.known) == self.window:
                self.known.popitem(last=False)
        self.known[request_id] = (truth, answer)

    def correct(self, request_id: str, truth: Scalar) -> None:
        """Score a pair against its new truth, if it is still within the window."""
        if request_id in self.known:
            self.known[request_id] = (truth, self.known[request_id][1])


@dataclass(slots=True)
class Prequential:
    """Figures per model over its last `window` labelled answers, and per version.

    The newest `versions` versions of each model are followed; labels of older ones still count
    for their model. A revised label corrects the figures of the version that made the prediction.
    """

    window: int = 2000
    versions: int = 20
    _models: dict[str, Pairs] = field(default_factory=dict)
    _versions: dict[str, dict[int, Pairs]] = field(default_factory=dict)
    _changed: set[tuple[str, int]] = field(default_factory=set)
    _outlooks: Outlooks = field(default_factory=Outlooks)

    def add(self, feedback: Told) -> None:
        """Score all answers that one label is the truth of, or correct them."""
        for scored in feedback.predictions:
            told = scored_of(scored.outputs)
            if told is None or not comparable(told[0], feedback.label):
                continue
            if feedback.revises is None:
                self._add(scored, told[0], feedback.id, feedback.label, told[1])
            else:
                self._correct(scored, feedback)
        if feedback.revises is None:
            for place, step in enumerate(self._outlooks.add(feedback)):
                name, answer = f"{feedback.id}/{place}", (step.number, step.value)
                self._add(step.scored, "forecast", name, step.truth, answer)

    def metrics(self, event_time: int, offsets: Mapping[str, int]) -> Iterator[Metrics]:
        """Figures of every model and of each version that has new labels since last asked."""
        for model, pairs in self._models.items():
            yield self._figures(model, None, pairs, event_time, offsets)
        for model, version in sorted(self._changed):
            pairs = self._versions[model][version]
            yield self._figures(model, version, pairs, event_time, offsets)
        self._changed.clear()

    def _add(self, scored: Saying, task: Task, name: str, truth: Scalar, answer: Answer) -> None:
        for pairs in self._scores(scored, task):
            pairs.add(name, truth, answer)

    def _scores(self, scored: Saying, task: Task) -> tuple[Pairs, ...]:
        """Where a prediction counts: its model, and its version unless that is too old."""
        model, version = scored.model, scored.version
        followed = self._versions.setdefault(model, {})
        if version in followed:
            self._changed.add((model, version))
            return (self._models[model], followed[version])
        if model not in self._models:
            self._models[model] = Pairs(task, self.window)
        if len(followed) == self.versions:
            oldest = min(followed)
            if version < oldest:
                return (self._models[model],)
            del followed[oldest]
            self._changed.discard((model, oldest))
        followed[version] = Pairs(task, self.window)
        return self._scores(scored, task)

    def _correct(self, scored: Saying, feedback: Told) -> None:
        model, version = scored.model, scored.version
        if model in self._models:
            self._models[model].correct(feedback.id, feedback.label)
        if version in self._versions.get(model, {}):
            self._versions[model][version].correct(feedback.id, feedback.label)
            self._changed.add((model, version))

    def _figures(
        self,
        model: str,
        version: int | None,
        pairs: Pairs,
        event_time: int,
        offsets: Mapping[str, int],
    ) -> Metrics:
        truths, answers = zip(*pairs.known.values(), strict=True)
        values = figures(truths, answers, pairs.task)
        return Metrics(
            kind="prequential",
            model=model,
            version=version,
            event_time=event_time,
            values={"labelled": pairs.count, "window": len(pairs.known), **values},
            offsets=dict(offsets),
        )


def answer_of(outputs: Mapping[str, Any]) -> tuple[Task, Scalar] | None:
    """The one value of an answer, of several classes the likeliest, and the task that it shows.

    A forecast has no such value: each of its steps has a label of its own.
    """
    if "label" in outputs:
        return "multiclass", outputs["label"]
    for task, name in SINGLE:
        if name in outputs:
            return task, outputs[name]
    return None


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
