"""The views of the stream and of its labels. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modstream.dashboard.figures import StreamFigures
from modstream.dashboard.joiner_figures import delay_buckets
from modstream.dashboard.model_views import Moment
from modstream.dashboard.problems import RECENT_SECONDS, Symptoms, find_problems
from modstream.dashboard.service_sampler import Sample
from modstream.dashboard.snapshots import (
    History,
    LabelsView,
    Problem,
    StreamSeries,
    StreamView,
)
from modstream.dashboard.window import BUCKET_MS, history_start
from modstream.processors.join.label_stats import delay_quantile


@dataclass(frozen=True, slots=True)
class StreamSources:
    """What the view of a stream is made of, besides the figures.

    `errors` says why something cannot be asked, by what; see `Sample`.
    """

    stream: str
    route: Sequence[str]
    sample: Sample
    history: History
    errors: Mapping[str, str]


def stream_view(
    figures: StreamFigures,
    sources: StreamSources,
    moment: Moment,
    seconds: int,
    max_points: int,
) -> StreamView:
    """Return the stream over the last `seconds`, in at most `max_points` intervals."""
    series = figures.counts.series(moment.now, seconds, max_points)
    return StreamView(
        stream=sources.stream,
        now=moment.now,
        revision=moment.revision,
        history=sources.history,
        series=series,
        totals=figures.counts.totals(series.start, moment.now),
        current=figures.counts.totals(end_of(series), moment.now),
        services=sources.sample.services,
        health=sources.sample.health,
        lag_at=sources.sample.lag_at,
        problems=stream_problems(figures, sources, moment.now),
    )


def stream_problems(
    figures: StreamFigures, sources: StreamSources, now: int
) -> tuple[Problem, ...]:
    """Return what is wrong with a stream at `now` (ms)."""
    recent_from = (now // BUCKET_MS + 1) * BUCKET_MS - RECENT_SECONDS * 1000
    sample = sources.sample
    is_registry_known = sample.number > 0 and "registry" not in sources.errors
    symptoms = Symptoms(
        stream=sources.stream,
        recent=figures.counts.totals(recent_from, now),
        recent_from=recent_from,
        services=sample.services,
        health=sample.health,
        dead_letters=figures.set_aside.dead_letters(),
        quarantine=figures.set_aside.quarantine.view(),
        route_without_champion=[
            name for name in sources.route if is_registry_known and without_champion(sample, name)
        ],
        history=sources.history,
        errors=sources.errors,
    )
    return find_problems(symptoms)


def labels_view(figures: StreamFigures, history: History, moment: Moment) -> LabelsView:
    """Return the labels and what was set aside."""
    delays = figures.joiner.delays()
    totals = figures.counts.totals(history_start(moment.now), moment.now)
    return LabelsView(
        now=moment.now,
        revision=moment.revision,
        history=history,
        delays=delay_buckets(delays),
        delay_p50=delay_quantile(delays, 0.5) if delays else None,
        delay_p90=delay_quantile(delays, 0.9) if delays else None,
        delay_p99=delay_quantile(delays, 0.99) if delays else None,
        coverage=figures.joiner.all_coverage(),
        joiner=figures.joiner.counts(),
        unjoined=figures.set_aside.unjoined.view(),
        quarantine=figures.set_aside.quarantine.view(),
        dead_letters=figures.set_aside.dead_letters(),
        labels=totals.labels,
    )


def end_of(series: StreamSeries) -> int:
    """Return the time (ms) at which a series ends."""
    return series.start + series.step * len(series.requests)


def without_champion(sample: Sample, name: str) -> bool:
    """Return whether the registry has no champion of a model."""
    facts = sample.models.get(name)
    return facts is None or facts.champion is None
