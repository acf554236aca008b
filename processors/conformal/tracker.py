"""Learns the thresholds of a stream's models from its feedback. No I/O: its caller does it.

The state is a function of the feedback topic: it is stored together with the offsets up to which it
was read, so that a restart neither skips a label nor counts one twice. Whether a label was inside
is read from the answer itself, which the feedback contains; labels may be late by any time.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from modstream.broker.errors import DecodeError
from modstream.broker.wire.feedback_codec import (
    AnyFeedback,
    AnyJoinedPrediction,
    FeedbackDecoder,
)
from modstream.broker.wire.identifiers import row_key
from modstream.broker.wire.model_contracts import Metrics
from modstream.broker.wire.records import Record
from modstream.models.evaluation.served_sets import (
    OUTPUT_NAME,
    TASKS,
    ServedThreshold,
    is_inside,
    label_score,
    made_of,
)
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.models.schema.card import Task
from modstream.processors.conformal.model_state import ModelState
from modstream.processors.conformal.settings import ServedSetSettings
from modstream.processors.learn.examples import is_released

DEFAULT_SEEN = 20_000
"""Number of rows that are remembered, so that one that the joiner repeats is counted once."""


@dataclass(slots=True)
class ConformalTracker:
    """The states of a stream's models. Not thread-safe: one thread calls all methods.

    Attributes:
        settings: the models, and how their thresholds adapt.
        versions: the tasks and classes of the versions that predicted.
        offsets: the next offset of each partition of the feedback, by "topic:partition".
        states: the state of each model with labels.
        seen: the number of rows that are remembered.
        records: the number of feedback records read.
        unscored: the number of predictions without a score: their version is unknown, or has no
            probabilities, or the label is none of its classes.
        repeated: the number of predictions that were counted before.
        event_time: the latest label time read, ms since the epoch.
    """

    settings: ServedSetSettings
    versions: VersionClasses
    offsets: dict[str, int] = field(default_factory=dict)
    states: dict[str, ModelState] = field(default_factory=dict)
    seen: int = DEFAULT_SEEN
    records: int = 0
    unscored: int = 0
    repeated: int = 0
    event_time: int = 0
    _changed: set[tuple[str, int]] = field(default_factory=set)
    _keys: OrderedDict[int, None] = field(default_factory=OrderedDict)
    _decoder: FeedbackDecoder = field(default_factory=FeedbackDecoder)

    def restore(self, offsets: Mapping[str, int], states: Mapping[str, bytes]) -> None:
        """Continue from a stored state; models that have no sets any more are dropped.

        Raises:
            UnreadableConformalState: a state is damaged.
        """
        self.offsets = dict(offsets)
        self.states = {
            model: ModelState.decode(states[model], coverage, self.settings)
            for model, coverage in self.settings.coverage.items()
            if model in states
        }

    def encode_states(self) -> dict[str, bytes]:
        """Return the state of each model as it is stored."""
        return {model: state.encode() for model, state in self.states.items()}

    def thresholds(self) -> dict[str, ServedThreshold]:
        """Return the threshold of each model that has labels enough."""
        found = {
            model: state.threshold(self.settings.min_labels) for model, state in self.states.items()
        }
        return {model: one for model, one in found.items() if one is not None}

    def metrics(self) -> list[Metrics]:
        """Return the metrics of the models and versions with new labels since the last call."""
        changed, self._changed = self._changed, set()
        found: list[tuple[str, int | None, dict[str, float]]] = [
            (model, None, self.states[model].values())
            for model in sorted({one[0] for one in changed})
        ]
        for model, version in sorted(changed):
            outcomes = self.states[model].versions.get(version)
            if outcomes is not None:
                found.append((model, version, outcomes.values()))
        return [
            Metrics(
                kind="conformal",
                model=model,
                version=version,
                event_time=self.event_time,
                values=values,
                offsets=dict(self.offsets),
            )
            for model, version, values in found
        ]

    def add(self, records: Sequence[Record]) -> None:
        """Add feedback, in the order of its offsets.

        Records before `offsets` were counted before a restart; their rows are only remembered.
        """
        for record in records:
            partition = str(record.topic_partition)
            is_new = record.offset >= self.offsets.get(partition, 0)
            feedback = self._decode(record)
            if feedback is not None:
                self._add(feedback, is_new=is_new)
            if is_new:
                self.offsets[partition] = record.offset + 1
                self.records += 1

    def _decode(self, record: Record) -> AnyFeedback | None:
        """Return a record's feedback; None if it is invalid, a correction, or a released row."""
        if is_released(record):
            return None
        try:
            feedback = self._decoder.decode(record.value)
        except DecodeError:
            return None
        return None if feedback.revises is not None else feedback

    def _add(self, feedback: AnyFeedback, *, is_new: bool) -> None:
        for prediction in feedback.predictions:
            if prediction.model not in self.settings.coverage:
                continue
            is_known = self._is_known(feedback, prediction.model)
            if is_new and is_known:
                self.repeated += 1
            elif is_new:
                self._count(feedback, prediction)

    def _is_known(self, feedback: AnyFeedback, model: str) -> bool:
        """Return whether a row's label was counted for a model before, and remember it."""
        key = hash((row_key(feedback.id, feedback.row), model))
        if key in self._keys:
            return True
        self._keys[key] = None
        if len(self._keys) > self.seen:
            self._keys.popitem(last=False)
        return False

    def _count(self, feedback: AnyFeedback, prediction: AnyJoinedPrediction) -> None:
        version = self.versions.get(prediction.model, prediction.version)
        label, outputs = feedback.label, prediction.outputs
        score = None if version is None else label_score(version, label, outputs)
        if version is None or score is None:
            self.unscored += 1
            return
        state = self._state(prediction.model, prediction.version, version.task)
        if state is not None:
            served = outputs.get(OUTPUT_NAME)
            inside = is_inside(version, label, served, state.coverage)
            state.add(prediction.version, score, is_inside=inside, made_of=made_of(served))
            self.event_time = max(self.event_time, feedback.label_time)
            self._changed.add((prediction.model, prediction.version))

    def _state(self, model: str, version: int, task: Task) -> ModelState | None:
        """Return a model's state; it starts again with a newer version of another task."""
        state = self.states.get(model)
        is_newer = state is not None and state.task != task and version > state.newest
        if (state is None or is_newer) and task in TASKS:
            coverage = self.settings.coverage[model]
            state = self.states[model] = ModelState.new(task, coverage, self.settings)
        return state if state is not None and state.task == task else None
