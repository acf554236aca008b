"""The models at one moment: versions, prequential figures, timeline, drift."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from modstream.dashboard.snapshots.monitoring import MonitoringView
from modstream.dashboard.snapshots.pipelines import PipelineView, StoredPredictions
from modstream.dashboard.snapshots.values import Band, Scalar


@dataclass(frozen=True, slots=True)
class QualityPoint:
    """Prequential figures of a version or model at one time.

    Attributes:
        at: when the figures were written.
        event_time: the time of the newest label, None if unknown.
        labelled: labels so far.
        window: labels that the figures cover, at most the learner's `metrics_window`.
        values: the metrics by name, such as `accuracy`, `auc`, `mae`.
        bands: the band of each of them, by the same names.
    """

    at: int
    event_time: int | None
    labelled: int
    window: int
    values: Mapping[str, float]
    bands: Mapping[str, Band]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of a version's predictions have their label; `share` is from 0 to 1."""

    at: int
    predicted: int
    labelled: int
    missing: int
    share: float


@dataclass(frozen=True, slots=True)
class VersionView:
    """One version of a model: the facts of its card, and its figures.

    Attributes:
        version: its number.
        aliases: the aliases that point at it, sorted.
        role: `champion`, `challenger`, another alias, or "" without one.
        published_at: when it was published; None, like all facts of the card, if the card is not
            readable.
        parent: the version that it was learned from.
        source: where it came from: the note of the card.
        runtime: the runtime that loads it.
        task: its task.
        features: the names of its features, at most 100.
        feature_count: how many features it has.
        size: bytes of the artifact.
        sha256: the digest of the artifact.
        is_signed: whether the card carries a signature.
        rows_learned: rows that it has learned in total.
        card_metrics: the metrics in its card, as they were when it was published.
        answers: its predictions within the history.
        answers_per_second: its predictions of the last minute, per second.
        coverage: the newest label coverage.
        quality: its prequential figures, oldest first.
    """

    version: int
    aliases: tuple[str, ...]
    role: str
    published_at: int | None
    parent: int | None
    source: str
    runtime: str
    task: str
    features: tuple[str, ...]
    feature_count: int
    size: int | None
    sha256: str
    is_signed: bool
    rows_learned: int
    card_metrics: Mapping[str, float]
    answers: int
    answers_per_second: float
    coverage: Coverage | None
    quality: tuple[QualityPoint, ...]


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """A publication, promotion or rollback, with its evidence.

    `at` is when the event was written. `evidence` has the facts of a promotion gate's decision by
    name; it is empty for changes that a person made. `reason` is one sentence, or ""; `user` is the
    person who made the change, "" if unknown.
    """

    at: int
    event_time: int | None
    action: Literal["publish", "promote", "rollback"]
    version: int
    alias: str | None
    parent: int | None
    rows_learned: int
    reason: str
    evidence: Mapping[str, Scalar]
    position: str
    user: str = ""


@dataclass(frozen=True, slots=True)
class Drift:
    """A feature whose mean has moved, in its standard deviations, and when that was found."""

    at: int
    event_time: int | None
    feature: str
    shift: float


@dataclass(frozen=True, slots=True)
class ModelView:
    """One model: versions with their figures, the timeline, drift, and champion and challengers.

    Attributes:
        versions: the newest versions, highest first, at most 50.
        version_count: the highest number of a version in the registry, 0 without one.
        champion: the number of the champion, None without one.
        challengers: numbers of the versions under other aliases, highest first, without the earlier
            champions that `checkpoint` and `last-good` keep.
        is_in_route: whether it answers requests that name no model.
        main_metric: the metric to compare versions by, None without figures.
        higher_is_better: of the main metric.
        quality: the prequential figures of the model, over all its versions, oldest first.
        timeline: its events, newest first.
        drift: the shifts of its features, newest first.
        learner: the newest counts of its learner, by name.
        is_in_registry: whether the registry has it; figures of others come from the topics only.
        monitoring: slices, calibration and drift per feature; None before the first computation,
            and with too few labels.
        pipeline: its champion's steps, None if it is no pipeline.
        stored: its predictions in the prediction store, None if there are none.
    """

    name: str
    now: int
    revision: int
    versions: tuple[VersionView, ...]
    version_count: int
    champion: int | None
    challengers: tuple[int, ...]
    is_in_route: bool
    main_metric: str | None
    higher_is_better: bool
    quality: tuple[QualityPoint, ...]
    timeline: tuple[TimelineEntry, ...]
    drift: tuple[Drift, ...]
    learner: Mapping[str, float]
    is_in_registry: bool
    monitoring: MonitoringView | None = None
    pipeline: PipelineView | None = None
    stored: StoredPredictions | None = None


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """One line of the list of models; `others` sums up all models beyond the limit.

    `value` and `band` are those of `main_metric`, over the newest labels of all versions.
    """

    name: str
    is_in_route: bool
    is_in_registry: bool
    champion: int | None
    challengers: tuple[int, ...]
    version_count: int
    task: str
    answers: int
    answers_per_second: float
    main_metric: str | None
    value: float | None
    band: Band | None
    labelled: int
    coverage: float | None
    last_change: TimelineEntry | None
