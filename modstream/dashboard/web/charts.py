"""What the charts draw, as plain values that templates write into attributes as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import msgspec

from modstream.dashboard.snapshots import (
    Band,
    ModelView,
    QualityPoint,
    StreamSeries,
    TimelineEntry,
    VersionView,
)

Key = TypeVar("Key")
Values = Sequence[float | None]
MAX_MARKS = 40
"""Marks of a chart; more of them could not be told apart."""
MAX_PUBLISH_MARKS = 12
"""A model that is published more often, as by a learner, gets no marks for that."""
MAX_VERSION_LINES = 4
MAX_BANDS = 2
"""Bands of lines side by side; more of them would hide each other."""
MARK_SHAPES = {"publish": "circle", "promote": "up", "rollback": "down"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart; `tone` selects its colour and dash, which the legend repeats."""

    label: str
    values: Values
    tone: int
    low: Values = ()
    high: Values = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """An event at a time of the chart; its shape tells its action, as the legend says."""

    at: float
    shape: str
    action: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart over time: `times` in seconds since the epoch, the same for all lines."""

    times: Sequence[float]
    lines: Sequence[Line]
    unit: str
    from_zero: bool = True
    marks: Sequence[Mark] = field(default=())

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(value is not None for line in self.lines for value in line.values)

    @property
    def marked_actions(self) -> Sequence[str]:
        """The actions that are marked, for the legend."""
        return sorted({mark.action for mark in self.marks})

    def to_json(self) -> str:
        """Return the chart as JSON for the script that draws it."""
        return msgspec.json.encode(self).decode()


def series_times(series: StreamSeries) -> list[float]:
    """Return the beginnings of the intervals in seconds since the epoch."""
    return [(series.start + i * series.step) / 1000 for i in range(len(series.requests))]


def rate_chart(series: StreamSeries) -> Chart | None:
    """Return the rates of a stream, per second; None if all are zero."""
    lines = (
        Line("requests", series.requests, 0),
        Line("answers", series.answers, 1),
        Line("refusals", series.refusals, 2),
        Line("dead letters", series.dead_letters, 3),
        Line("labels", series.labels, 4),
    )
    if not any(value for line in lines for value in line.values):
        return None
    return Chart(series_times(series), lines, "per second")


def latency_chart(series: StreamSeries) -> Chart:
    """Return the latencies of a stream, in ms."""
    lines = (
        Line("half of the answers (p50)", series.p50, 0),
        Line("95% (p95)", series.p95, 1),
        Line("99% (p99)", series.p99, 2),
    )
    return Chart(series_times(series), lines, "ms")


def quality_chart(model: ModelView) -> Chart | None:
    """Return the main metric of a model over all versions with its band; None without figures."""
    metric = model.main_metric
    if metric is None:
        return None
    points = [point for point in model.quality if metric in point.values]
    if not points:
        return None
    line = quality_line("all versions", points, metric, 0)
    return Chart(
        [point.at / 1000 for point in points],
        (line,),
        metric,
        from_zero=False,
        marks=timeline_marks(model.timeline, points[0].at, points[-1].at),
    )


def versions_chart(model: ModelView, versions: Sequence[VersionView]) -> Chart | None:
    """Return the main metric of some versions side by side; None without figures."""
    metric = model.main_metric
    if metric is None:
        return None
    chosen = [
        (version, [point for point in version.quality if metric in point.values])
        for version in versions[:MAX_VERSION_LINES]
    ]
    times = sorted({point.at for _, points in chosen for point in points})
    if not times:
        return None
    lines = [
        spread(times, points, quality_line(f"version {version.version}", points, metric, tone))
        for tone, (version, points) in enumerate(chosen)
        if points
    ]
    if len(lines) > MAX_BANDS:
        lines = [replace(line, low=(), high=()) for line in lines]
    return Chart([at / 1000 for at in times], lines, metric, from_zero=False)


def quality_line(label: str, points: Sequence[QualityPoint], metric: str, tone: int) -> Line:
    """Return the line of a metric with its band."""
    bands = [point.bands.get(metric) for point in points]
    return Line(
        label,
        [point.values[metric] for point in points],
        tone,
        low=[None if band is None else band.low for band in bands],
        high=[None if band is None else band.high for band in bands],
    )


def spread(times: Sequence[int], points: Sequence[QualityPoint], line: Line) -> Line:
    """Return a line with a value at each of the times, None where it has no point."""
    place = {point.at: i for i, point in enumerate(points)}

    def pick(values: Values) -> Values:
        return [values[place[at]] if at in place else None for at in times]

    return replace(line, values=pick(line.values), low=pick(line.low), high=pick(line.high))


def timeline_marks(timeline: Sequence[TimelineEntry], first: int, last: int) -> list[Mark]:
    """Return marks of the newest promotions and rollbacks between two times.

    Publications are marked, too, if they are few.
    """
    inside = [entry for entry in timeline if first <= entry.at <= last]
    if sum(entry.action == "publish" for entry in inside) > MAX_PUBLISH_MARKS:
        inside = [entry for entry in inside if entry.action != "publish"]
    inside.sort(key=lambda entry: -entry.at)
    return [
        Mark(entry.at / 1000, MARK_SHAPES[entry.action], entry.action)
        for entry in inside[:MAX_MARKS]
    ]


@dataclass(frozen=True, slots=True)
class Whisker:
    """A figure and its band on a scale from 0 to 100 that several of them share."""

    value: float
    low: float | None
    high: float | None


def whiskers(figures: Mapping[Key, tuple[float, Band | None]]) -> dict[Key, Whisker]:
    """Return figures and their bands on one scale, by the same keys; empty without figures."""
    ends = [
        end
        for value, band in figures.values()
        for end in (value, *(() if band is None else (band.low, band.high)))
        if end is not None
    ]
    if not ends:
        return {}
    low, width = min(ends), max(ends) - min(ends)

    def place(value: float | None) -> float | None:
        if value is None:
            return None
        return 50.0 if not width else round(4 + 92 * (value - low) / width, 2)

    return {
        key: Whisker(
            place(value) or 0.0,
            None if band is None else place(band.low),
            None if band is None else place(band.high),
        )
        for key, (value, band) in figures.items()
    }
