"""What a label did: the loss of each answer, the figures it moved, who learned it. Pure.

The figures are the prequential ones of `processors/evaluate/prequential.py`, as the learner wrote
them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modstream.broker.wire.contracts import Feedback, Metrics, ModelEvent, Quarantined, Scored
from modstream.broker.wire.features import Scalar
from modstream.broker.wire.records import Record
from modstream.models.evaluation.metrics import figures
from modstream.operations.trace.collector import Seen
from modstream.processors.evaluate.prequential import answer_of, comparable


@dataclass(frozen=True, slots=True)
class Effect:
    """A figure of a version around one label: the last one before it, and the first with it.

    Between the two other labels may have come in; `alone` is what this one moved the mean by.
    `labelled` counts the answers of the version that had been scored by then.
    """

    figure: str
    labelled: int
    before: float | None
    after: float
    alone: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """One joined answer held against its label."""

    model: str
    version: int
    loss: dict[str, float]
    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one learner made of a feedback record.

    `fate` is `learned` (by `version`), `quarantined` (`detail` names rule and particulars),
    `repeated` (its id had been learned already), `no features` (they travelled before), `waiting`
    (beyond the newest version), or `unknown`.
    """

    model: str
    fate: str
    version: int | None = None
    detail: str = ""


def scores(join: Seen[Feedback], series: Sequence[Metrics]) -> tuple[Score, ...]:
    """Hold every answer of a feedback record against its label."""
    found = []
    for scored in join.message.predictions:
        loss = loss_of(join.message.label, scored)
        found.append(
            Score(scored.model, scored.version, loss, effects(scored, join.record, loss, series))
        )
    return tuple(found)


def loss_of(label: Scalar, scored: Scored) -> dict[str, float]:
    """The figures over this pair alone; none where the label cannot be the answer's truth."""
    told = answer_of(scored.outputs)
    if told is None or not comparable(told[0], label):
        return {}
    task, answer = told
    return figures([label], [answer], task)


def effects(
    scored: Scored, record: Record, loss: Mapping[str, float], series: Sequence[Metrics]
) -> tuple[Effect, ...]:
    """What a scored answer did to its version's figures; nothing while none covers it yet.

    `series` are the metrics as they stand in their topic, in its order.
    """
    own = [
        metrics
        for metrics in series
        if metrics.kind == "prequential"
        and (metrics.model, metrics.version) == (scored.model, scored.version)
    ]
    home, offset = str(record.home), record.offset
    place = next((n for n, m in enumerate(own) if m.offsets.get(home, 0) > offset), None)
    if place is None:
        return ()
    before = own[place - 1].values if place else {}
    after = own[place].values
    count = after["window"]
    return tuple(
        Effect(
            figure=name,
            labelled=int(after["labelled"]),
            before=before.get(name),
            after=after[name],
            alone=(value - after[name]) / (count - 1) if count > 1 else None,
        )
        for name, value in loss.items()
        if name in after
    )


def lessons(
    join: Seen[Feedback],
    events: Sequence[ModelEvent],
    refused: Sequence[Seen[Quarantined]],
    *,
    again: bool,
) -> tuple[Lesson, ...]:
    """What each model that learns from this stream made of a feedback record.

    `again` says that an earlier one of the same id has carried the features.
    """
    home = str(join.record.home)
    rules = {row.model: f"{row.rule}: {row.detail}" for _, row in refused if is_of(row, join)}
    found = []
    for model in dict.fromkeys(event.model for event in events if home in event.offsets):
        if join.message.features is None:
            found.append(Lesson(model, "no features"))
        elif model in rules:
            found.append(Lesson(model, "quarantined", detail=rules[model]))
        elif again:
            found.append(Lesson(model, "repeated"))
        else:
            found.append(_lesson(model, join.record, events))
    return tuple(found)


def is_of(row: Quarantined, join: Seen[Feedback]) -> bool:
    """Whether a quarantined row is that of a feedback record."""
    source = row.source
    return (source.topic, source.partition, source.offset) == join.record[:3]


def _lesson(model: str, record: Record, events: Sequence[ModelEvent]) -> Lesson:
    """The version whose share of the feedback holds the record."""
    home, offset = str(record.home), record.offset
    versions = [event for event in events if event.model == model and event.action == "publish"]
    for event in versions:
        if event.learned_from.get(home, 0) <= offset < event.offsets.get(home, 0):
            return Lesson(model, "learned", event.version)
    newest = max((event.offsets.get(home, 0) for event in versions), default=0)
    return Lesson(model, "waiting" if offset >= newest else "unknown")
