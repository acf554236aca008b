"""The views: what each page shows of the state, without anything of the browser's session.

A view is built for the page and again for each of its updates. It may block for milliseconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from modstream.dashboard.snapshots import (
    ModelView,
    PartitionLag,
    QualityPoint,
    ServiceView,
    VersionView,
)
from modstream.dashboard.state import DashboardState
from modstream.dashboard.web import charts
from modstream.dashboard.web.errors import NoSuchPage
from modstream.dashboard.web.monitoring import monitoring_values
from modstream.dashboard.web.tables import SHORT_ROWS, Address, order_of, page_of, sort_rows

WINDOWS = {"900": "15 minutes", "3600": "1 hour", "21600": "6 hours"}
DEFAULT_WINDOW = "900"
CHART_POINTS = 180
"""Intervals of the charts of a stream: one for every few pixels."""
MAX_STORED = 20
"""Models whose predictions in the store are listed."""
MAX_TWIN_ROWS = 200
"""Rows of the table beside a chart; the newest ones, if there are more."""


@dataclass(frozen=True, slots=True)
class View:
    """A template with its values; `title` names the page, `summary` says its state in a sentence.

    `section` is the name of the page in the navigation.
    """

    template: str
    section: str
    title: str
    summary: str
    values: Mapping[str, Any]


class LagRow(NamedTuple):
    """The records of one partition that wait for a service."""

    service: str
    lag: PartitionLag


ViewBuilder = Callable[[DashboardState, Address, Mapping[str, str]], View]

LAG_COLUMNS: Mapping[str, Callable[[LagRow], Any]] = {
    "records": lambda row: row.lag.records,
    "service": lambda row: row.service,
    "topic": lambda row: row.lag.topic,
    "partition": lambda row: row.lag.partition,
}


def stream_view(state: DashboardState, address: Address, _: Mapping[str, str]) -> View:
    """Return the view of the stream: rates, latencies, services, lag, and what is wrong."""
    window = address.query.get("window", DEFAULT_WINDOW)
    if window not in WINDOWS:
        window = DEFAULT_WINDOW
    stream = state.stream_view(int(window), CHART_POINTS)
    order = order_of(address.query, tuple(LAG_COLUMNS), "-records")
    lag = sort_rows(lag_rows(stream.services), order, LAG_COLUMNS)
    twins = list(reversed(range(len(stream.series.requests))))
    summary = (
        f"{len(stream.problems)} problems; {stream.totals.requests:,} requests and"
        f" {stream.totals.answers:,} answers in {WINDOWS[window]}"
    )
    return View(
        "views/stream.html",
        "stream",
        "Stream",
        summary,
        {
            "view": stream,
            "windows": WINDOWS,
            "window": window,
            "lag": page_of(lag, address.query),
            "order": order,
            "rates": charts.rate_chart(stream.series),
            "latencies": charts.latency_chart(stream.series),
            "twin_rows": twins[:MAX_TWIN_ROWS],
            "times": charts.series_times(stream.series),
        },
    )


def lag_rows(services: tuple[ServiceView, ...]) -> list[LagRow]:
    """Return the lag of all services by partition."""
    return list(
        chain.from_iterable(
            (LagRow(service.service, one) for one in service.partitions) for service in services
        )
    )


def models_view(state: DashboardState, address: Address, _: Mapping[str, str]) -> View:
    """Return the view of all models."""
    models = state.models()
    return View(
        "views/models.html",
        "models",
        "Models",
        f"{len(models)} models",
        {
            "models": page_of(models, address.query),
            "now": state.revision,
            "stored": state.stored_predictions()[:MAX_STORED],
        },
    )


def model_view(state: DashboardState, address: Address, path: Mapping[str, str]) -> View:
    """Return the view of one model.

    Raises:
        NoSuchPage: neither the registry nor the stream knows the model.
    """
    name = path["model"]
    model = state.model_view(name)
    if model is None:
        raise NoSuchPage(f"neither the registry nor the stream knows a model {name[:100]!r}")
    by_number = {version.version: version for version in model.versions}
    compared = [
        by_number[number]
        for number in (model.champion, *model.challengers)
        if number is not None and number in by_number
    ]
    quality = charts.quality_chart(model)
    return View(
        "views/model.html",
        "models",
        f"Model {name}",
        f"champion is version {model.champion}; {model.version_count} versions",
        {
            "model": model,
            "compared": compared,
            "metrics": compared_metrics(model, compared),
            "quality": quality,
            "quality_points": list(reversed(model.quality))[:MAX_TWIN_ROWS],
            "side_by_side": charts.versions_chart(model, compared) if len(compared) > 1 else None,
            "whiskers": charts.whiskers(main_figures(model)),
            "versions": page_of(model.versions, address.query, size=SHORT_ROWS),
            "timeline": page_of(model.timeline, address.query, "events", SHORT_ROWS),
            "drift": page_of(model.drift, address.query, "shifts", SHORT_ROWS),
            **monitoring_values(model.monitoring, address),
        },
    )


def newest(version: VersionView) -> QualityPoint | None:
    """Return the newest figures of a version, None if there are none."""
    return version.quality[-1] if version.quality else None


def main_figures(model: ModelView) -> dict[int, tuple[float, Any]]:
    """Return the newest main metric of each version and its band, by version."""
    found = {}
    for version in model.versions:
        point = newest(version)
        if model.main_metric is not None and point and model.main_metric in point.values:
            metric = model.main_metric
            found[version.version] = (point.values[metric], point.bands.get(metric))
    return found


def compared_metrics(model: ModelView, compared: list[VersionView]) -> list[str]:
    """Return the names of the metrics of the compared versions, the main one first."""
    points = [point for version in compared if (point := newest(version))]
    names = sorted({name for point in points for name in point.values})
    if model.main_metric in names:
        names.remove(model.main_metric)
        names.insert(0, model.main_metric)
    return names


def labels_view(state: DashboardState, address: Address, _: Mapping[str, str]) -> View:
    """Return the view of the labels, and of what was set aside."""
    labels = state.labels_view()
    most = max((bucket.labels for bucket in labels.delays), default=0)
    set_aside = sum(one.count for one in labels.quarantine)
    summary = f"{labels.labels:,} labels; {set_aside:,} rows in quarantine"
    return View(
        "views/labels.html",
        "labels",
        "Labels and learning",
        summary,
        {
            "view": labels,
            "most": most,
            "coverage": page_of(labels.coverage, address.query, "versions", SHORT_ROWS),
            "unjoined": page_of(labels.unjoined, address.query, "unjoined"),
            "quarantine": page_of(labels.quarantine, address.query, "rules"),
            "dead_letters": page_of(labels.dead_letters, address.query, "causes"),
        },
    )


LIVE_VIEWS: Mapping[str, ViewBuilder] = {
    "/": stream_view,
    "/models": models_view,
    "/models/{model}": model_view,
    "/labels": labels_view,
}
"""The views that are kept current, by the path of their page."""
