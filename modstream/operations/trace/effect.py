"""The effect of a label: the loss of each prediction, the metrics it changed, who learned it. Pure.

The metrics are the prequential ones of `processors/evaluate/prequential.py`, as the learner
published them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modstream.broker.wire.contracts import Feedback, JoinedPrediction, Quarantined
from modstream.broker.wire.features import JsonScalar
from modstream.broker.wire.model_contracts import Metrics, ModelEvent
from modstream.broker.wire.records import Record
from modstream.models.evaluation.metrics import compute_metrics
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.models.schema.class_labels import finite_number
from modstream.operations.trace.collector import Decoded
from modstream.processors.evaluate.scoring import score


@dataclass(frozen=True, slots=True)
class MetricImpact:
    """The change of one metric of a version around one label.

    `before` is the last published value without the label, `after` the first one with it. Other
    labels may have been added between the two; `contribution` is the change of the mean that is
    due to this label. `labelled` counts the labelled predictions of the version at `after`.
    """

    metric: str
    labelled: int
    before: float | None
    after: float
    contribution: float | None


@dataclass(frozen=True, slots=True)
class PredictionScore:
    """The losses of one joined prediction, and their impact on its version's metrics."""

    model: str
    version: int
    losses: dict[str, float]
    impacts: tuple[MetricImpact, ...]


@dataclass(frozen=True, slots=True)
class LearningOutcome:
    """What one learner did with a feedback record.

    `outcome` is `learned` (by `version`), `quarantined` (`detail` has the rule and the cause),
    `repeated` (its id had been learned already), `no features` (an earlier record had them),
    `pending` (after the newest version's offsets), or `unknown`.
    """

    model: str
    outcome: str
    version: int | None = None
    detail: str = ""


def score_predictions(
    feedback: Decoded[Feedback], series: Sequence[Metrics], versions: VersionClasses
) -> tuple[PredictionScore, ...]:
    """Score each prediction of a feedback record against its label, by its version's classes."""
    results = []
    for scored in feedback.message.predictions:
        loss = compute_losses(feedback.message.label, scored, versions)
        results.append(
            PredictionScore(
                scored.model,
                scored.version,
                loss,
                compute_impacts(scored, feedback.record, loss, series),
            )
        )
    return tuple(results)


def compute_losses(
    label: JsonScalar, scored: JoinedPrediction, versions: VersionClasses
) -> dict[str, float]:
    """Return the metrics of this one pair; empty if label and prediction are not comparable.

    They are not if the version is unknown, since its classes are then unknown as well.
    """
    version = versions.get(scored.model, scored.version)
    pair = None if version is None else score(version, label, scored.outputs)
    return {} if pair is None else compute_metrics([pair.label], [pair.prediction], pair.task)


def compute_impacts(
    scored: JoinedPrediction, record: Record, losses: Mapping[str, float], series: Sequence[Metrics]
) -> tuple[MetricImpact, ...]:
    """Return the impact on the version's metrics; empty while no metrics record covers the label.

    `series` are all metrics records, in the order of their topic.
    """
    version_metrics = [
        metrics
        for metrics in series
        if metrics.kind == "prequential"
        and (metrics.model, metrics.version) == (scored.model, scored.version)
    ]
    partition, offset = str(record.topic_partition), record.offset
    index = next(
        (n for n, m in enumerate(version_metrics) if m.offsets.get(partition, 0) > offset), None
    )
    if index is None:
        return ()
    before = version_metrics[index - 1].values if index else {}
    after = version_metrics[index].values
    count = after.get("window", 0.0)
    return tuple(
        MetricImpact(
            metric=name,
            labelled=int(finite_number(after.get("labelled")) or 0),
            before=before.get(name),
            after=after[name],
            contribution=(value - after[name]) / (count - 1) if count > 1 else None,
        )
        for name, value in losses.items()
        if name in after
    )


def learning_outcomes(
    feedback: Decoded[Feedback],
    events: Sequence[ModelEvent],
    quarantined: Sequence[Decoded[Quarantined]],
    *,
    is_repeated: bool,
) -> tuple[LearningOutcome, ...]:
    """Return what each learner of this stream did with a feedback record.

    `is_repeated`: an earlier record of the same id had the features.
    """
    partition = str(feedback.record.topic_partition)
    rules = {
        row.model: f"{row.rule}: {row.detail}" for _, row in quarantined if is_from(row, feedback)
    }
    results = []
    for model in dict.fromkeys(event.model for event in events if partition in event.offsets):
        if feedback.message.features is None:
            results.append(LearningOutcome(model, "no features"))
        elif model in rules:
            results.append(LearningOutcome(model, "quarantined", detail=rules[model]))
        elif is_repeated:
            results.append(LearningOutcome(model, "repeated"))
        else:
            results.append(_find_learning_version(model, feedback.record, events))
    return tuple(results)


def is_from(row: Quarantined, feedback: Decoded[Feedback]) -> bool:
    """Return whether a quarantined row is from this feedback record."""
    source = row.source
    return (source.topic, source.partition, source.offset) == feedback.record[:3]


def _find_learning_version(
    model: str, record: Record, events: Sequence[ModelEvent]
) -> LearningOutcome:
    """Find the version whose feedback offsets include the record."""
    partition, offset = str(record.topic_partition), record.offset
    versions = [event for event in events if event.model == model and event.action == "publish"]
    for event in versions:
        if event.first_offsets.get(partition, 0) <= offset < event.offsets.get(partition, 0):
            return LearningOutcome(model, "learned", event.version)
    newest = max((event.offsets.get(partition, 0) for event in versions), default=0)
    return LearningOutcome(model, "pending" if offset >= newest else "unknown")
