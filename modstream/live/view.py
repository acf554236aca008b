"""The live view of a running stream: updated in place on a terminal, else plain lines."""

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from math import isfinite, nan
from threading import Event
from time import monotonic, time
from typing import Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from modstream.broker.wire.model_contracts import ModelEvent
from modstream.live.remarks import describe_absent, has_labels
from modstream.live.rolling_stats import RollingStats
from modstream.live.snapshot import LiveSnapshot
from modstream.process.background import BackgroundThread
from modstream.producers.replay.pacing import ReplayProgress
from modstream.report.formatting import (
    PLACEHOLDER,
    format_count,
    format_date,
    format_ms,
    format_score,
)
from modstream.terminal import SafeConsole

REFRESHES_PER_SECOND = 2
LINE_INTERVAL_S = 5.0
"""Time between two lines if the console is not a terminal."""
BARS = "▁▂▃▄▅▆▇█"
SPEED_WINDOW_S = 10
MIN_BAR_WIDTH, TEXT_WIDTH = 8, 68
"""Characters of the progress bar at least, and of what is beside it at most."""
MAX_MODELS = 10
"""Models that are shown; others have responded, too."""


@dataclass(frozen=True, slots=True)
class ViewSources:
    """The data sources of a live view.

    Attributes:
        stats: the statistics of the stream.
        lag: returns the lag by service; a service that has not read the stream has none.
        progress: returns the progress of a replay, None if there is no replay.
        event_time_range: the first and last event time (ms) of the replay, if it is known.
        title: what is shown instead of a replay.
    """

    stats: RollingStats
    lag: Callable[[], Mapping[str, int]]
    progress: Callable[[], ReplayProgress] | None = None
    event_time_range: tuple[int, int] | None = None
    title: str = ""


class LiveView:
    """A context that shows a running stream, and restores the terminal when it is left."""

    def __init__(self, sources: ViewSources, console: Console | None = None) -> None:
        self._sources = sources
        self._console = console or SafeConsole()
        self._progress_samples: deque[tuple[float, int]] = deque(
            maxlen=SPEED_WINDOW_S * REFRESHES_PER_SECOND
        )
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            live = Live(
                get_renderable=self.render,
                console=self._console,
                refresh_per_second=REFRESHES_PER_SECOND,
            )
            self._exit.enter_context(live)
        else:
            self._exit.enter_context(BackgroundThread("live-view", self._print_lines))
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def render(self) -> RenderableType:
        """Return the current view."""
        snapshot, lag = self._sources.stats.snapshot(time()), self._sources.lag()
        return Group(
            *(
                self._render_head(),
                "",
                self._render_stats(snapshot, lag),
                "",
                self._render_models(snapshot),
            ),
            *(Text(format_decision(event), "bold") for event in snapshot.decisions),
            *(Text(remark, "dim") for remark in describe_absent(snapshot, lag)),
        )

    def render_line(self) -> str:
        """Return the current view as one line."""
        snapshot = self._sources.stats.snapshot(time())
        swaps = sum(snapshot.swaps.values())
        return "  ".join(
            (
                self._line_head(),
                f"{format_count(snapshot.requests)} requests",
                f"{format_count(snapshot.request_rate)}/s",
                f"p50 {_format_latency(snapshot.p50)} p99 {_format_latency(snapshot.p99)}",
                f"{format_count(snapshot.joined)} joined",
                *(self._line_of(model, snapshot) for model in self._models(snapshot)),
                f"{format_count(swaps)} swaps",
                *(format_decision(event) for event in snapshot.decisions[-1:]),
                f"lag {_format_lag(self._sources.lag())}",
            )
        )

    def _line_head(self) -> str:
        """Return the event time of the replay, else the title."""
        if self._sources.progress is None:
            return self._sources.title
        at = self._sources.progress().event_time
        return PLACEHOLDER if at is None else format_date(at)

    def _line_of(self, model: str, snapshot: LiveSnapshot) -> str:
        score = snapshot.auc.get(model, nan)
        quality = f" AUC {format_score(score)}" if isfinite(score) else ""
        return f"{model} v{snapshot.versions.get(model, 0)}{quality}"

    def _models(self, snapshot: LiveSnapshot) -> list[str]:
        """Return the models of the route, then others that have responded."""
        found = dict.fromkeys((*self._sources.stats.route, *snapshot.predictions))
        return list(found)[:MAX_MODELS]

    def _render_head(self) -> RenderableType:
        if self._sources.progress is None:
            return Text(self._sources.title, "bold")
        return self._render_progress(self._sources.progress())

    def _print_lines(self, stop: Event) -> None:
        while not stop.wait(LINE_INTERVAL_S):
            self._console.print(self.render_line(), soft_wrap=True, highlight=False)

    def _render_progress(self, progress: ReplayProgress) -> RenderableType:
        """Return the progress of the replay in event time, and its speed relative to real time."""
        at = progress.event_time
        row = Table.grid(padding=(0, 2))
        cells: list[RenderableType] = [Text(PLACEHOLDER if at is None else format_date(at), "bold")]
        if self._sources.event_time_range is not None and at is not None:
            first, last = self._sources.event_time_range
            width = max(MIN_BAR_WIDTH, min(30, self._console.width - TEXT_WIDTH))
            cells.append(ProgressBar(total=max(last - first, 1), completed=at - first, width=width))
        cells.append(
            Text(
                f"{format_count(progress.requests)} requests,"
                f" {format_count(progress.labels)} labels"
            )
        )
        cells.append(Text(self._format_speed(at), "dim"))
        row.add_row(*cells)
        return row

    def _format_speed(self, at: int | None) -> str:
        if at is None:
            return ""
        self._progress_samples.append((monotonic(), at))
        (since, first), (now, last) = self._progress_samples[0], self._progress_samples[-1]
        if last <= first:
            return ""
        return f"{format_count((last - first) / 1000 / (now - since))} x real time"

    def _render_stats(self, snapshot: LiveSnapshot, lag: Mapping[str, int]) -> Table:
        window = self._sources.stats.window
        table = Table.grid(padding=(0, 3))
        rows = (
            (
                "requests/s",
                f"{format_count(snapshot.request_rate)}",
                render_sparkline(snapshot.history),
            ),
            (
                "latency",
                f"p50 {_format_latency(snapshot.p50)}   p99 {_format_latency(snapshot.p99)}",
                f"last {window.seconds} s, 1 request in {window.sample_every}",
            ),
            (
                "labels",
                f"{format_count(snapshot.labels)} sent, {format_count(snapshot.joined)} joined",
                f"{format_count(snapshot.unjoined)} unjoined",
            ),
            ("lag", _format_lag(lag), "records"),
            (
                "errors",
                f"{format_count(snapshot.errors)} responses",
                f"{format_count(snapshot.dead_letters)} dead letters",
            ),
        )
        for name, value, note in rows:
            if name != "labels" or has_labels(snapshot):
                table.add_row(Text(name, "dim"), value, Text(note, "dim"))
        return table

    def _render_models(self, snapshot: LiveSnapshot) -> Table:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, header_style="dim")
        has_scores = any(map(isfinite, snapshot.auc.values()))
        score_column = f"AUC, last {format_count(self._sources.stats.window.labels)} labels"
        columns = ["model", "predictions", "version", "hot swaps", *[score_column] * has_scores]
        for index, column in enumerate(columns):
            table.add_column(column, justify="right" if index else "left", overflow="fold")
        for model in self._models(snapshot):
            version = snapshot.versions.get(model)
            cells = (
                Text(model),
                format_count(snapshot.predictions.get(model, 0)),
                PLACEHOLDER if version is None else f"v{version}",
                format_count(snapshot.swaps.get(model, 0)),
                format_score(snapshot.auc.get(model, nan)),
            )
            table.add_row(*cells[: len(columns)])
        return table


def render_sparkline(history: tuple[int, ...], width: int = 30) -> str:
    """Return the last `width` values as bars, scaled to the largest of them."""
    shown = history[-width:]
    largest = max(shown, default=0)
    if not largest:
        return ""
    return "".join(BARS[(len(BARS) - 1) * value // largest] for value in shown)


def format_decision(event: ModelEvent) -> str:
    """Return a gate's decision, with its event time and its reason, as one line."""
    at = PLACEHOLDER if event.event_time is None else format_date(event.event_time)
    return f"{at} {event.action} {event.model} v{event.version}: {event.reason}"


def _format_latency(value: float) -> str:
    return f"{format_ms(value)} ms" if isfinite(value) else PLACEHOLDER


def _format_lag(lag: Mapping[str, int]) -> str:
    return (
        ", ".join(f"{service} {format_count(count)}" for service, count in lag.items())
        or PLACEHOLDER
    )
