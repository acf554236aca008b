"""The live view of a running replay: a few lines that stay in place, or plain lines in a log."""

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from math import isfinite, nan
from threading import Event, Thread
from time import monotonic, time
from typing import Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from modstream.broker.wire.contracts import ModelEvent
from modstream.live.rolling_stats import Glance, Recent
from modstream.producers.replay.pacing import Progress
from modstream.report.formatting import NOTHING, date, milliseconds, number, score

REFRESHES = 2
"""Per second."""
PLAIN_SECONDS = 5.0
"""Between two lines where there is no terminal."""
BARS = "▁▂▃▄▅▆▇█"
SPEED_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the view takes what it shows.

    `span` is the event time (ms) from which to which the replay will go, if that is known.
    """

    recent: Recent
    progress: Callable[[], Progress]
    lag: Callable[[], Mapping[str, int]]
    span: tuple[int, int] | None = None


class LiveView:
    """Shows a running stream until it is left; leaves the terminal as it found it."""

    def __init__(self, sources: Sources, console: Console | None = None) -> None:
        self._sources = sources
        self._console = console or Console()
        self._marks: deque[tuple[float, int]] = deque(maxlen=SPEED_SECONDS * REFRESHES)
        self._stop = Event()
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            live = Live(
                get_renderable=self.render, console=self._console, refresh_per_second=REFRESHES
            )
            self._exit.enter_context(live)
        else:
            thread = Thread(target=self._print_lines, name="view", daemon=True)
            thread.start()
            self._exit.callback(thread.join)
            self._exit.callback(self._stop.set)
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def render(self) -> RenderableType:
        """The view as it is now."""
        glance, progress = self._sources.recent.glance(time()), self._sources.progress()
        return Group(
            *(self._headline(progress), "", self._figures(glance), "", self._models(glance)),
            *(Text(decision(event), "bold") for event in glance.decided),
        )

    def line(self) -> str:
        """The same in one line."""
        glance, progress = self._sources.recent.glance(time()), self._sources.progress()
        scores = (
            f"{model} v{glance.versions.get(model, 0)} AUC {score(glance.auc.get(model, nan))}"
            for model in self._sources.recent.route
        )
        swaps = sum(glance.swaps.values())
        return "  ".join(
            (
                NOTHING if progress.event_time is None else date(progress.event_time),
                f"{number(glance.requests)} requests, {number(glance.request_rate)}/s",
                f"p50 {_ms(glance.p50)} p99 {_ms(glance.p99)}",
                f"{number(glance.joined)} joined",
                *scores,
                f"{number(swaps)} swaps",
                *(decision(event) for event in glance.decided[-1:]),
                f"lag {_lag(self._sources.lag())}",
            )
        )

    def _print_lines(self) -> None:
        while not self._stop.wait(PLAIN_SECONDS):
            self._console.print(self.line(), soft_wrap=True, highlight=False)

    def _headline(self, progress: Progress) -> RenderableType:
        """How far the replay is, in event time, and how much faster than life it goes."""
        at = progress.event_time
        row = Table.grid(padding=(0, 2))
        cells: list[RenderableType] = [Text(NOTHING if at is None else date(at), "bold")]
        if self._sources.span is not None and at is not None:
            first, last = self._sources.span
            cells.append(ProgressBar(total=max(last - first, 1), completed=at - first, width=30))
        cells.append(
            Text(f"{number(progress.requests)} requests, {number(progress.labels)} labels")
        )
        cells.append(Text(self._speed(at), "dim"))
        row.add_row(*cells)
        return row

    def _speed(self, at: int | None) -> str:
        if at is None:
            return ""
        self._marks.append((monotonic(), at))
        (since, first), (now, last) = self._marks[0], self._marks[-1]
        if last <= first:
            return ""
        return f"{number((last - first) / 1000 / (now - since))} x real time"

    def _figures(self, glance: Glance) -> Table:
        window = self._sources.recent.window
        table = Table.grid(padding=(0, 3))
        rows = (
            ("requests/s", f"{number(glance.request_rate)}", sparkline(glance.history)),
            (
                "latency",
                f"p50 {_ms(glance.p50)}   p99 {_ms(glance.p99)}",
                f"last {window.seconds} s, 1 request in {window.sample}",
            ),
            (
                "labels",
                f"{number(glance.joined)} joined of {number(glance.labels)}",
                f"{number(glance.set_aside)} set aside",
            ),
            ("lag", _lag(self._sources.lag()), "records waiting"),
            (
                "refused",
                f"{number(glance.errors)} errors, {number(glance.dead_letters)} dead letters",
                "",
            ),
        )
        for name, told, note in rows:
            table.add_row(Text(name, "dim"), told, Text(note, "dim"))
        return table

    def _models(self, glance: Glance) -> Table:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, header_style="dim")
        score_column = f"AUC, last {number(self._sources.recent.window.labels)} labels"
        for place, column in enumerate(("model", "answers", "version", "hot swaps", score_column)):
            table.add_column(column, justify="right" if place else "left")
        for model in self._sources.recent.route:
            table.add_row(
                model,
                number(glance.answers.get(model, 0)),
                f"v{glance.versions.get(model, 0)}" if model in glance.versions else NOTHING,
                number(glance.swaps.get(model, 0)),
                score(glance.auc.get(model, nan)),
            )
        return table


def sparkline(history: tuple[int, ...], width: int = 30) -> str:
    """The last `width` values as bars, the tallest being the greatest of them."""
    shown = history[-width:]
    most = max(shown, default=0)
    if not most:
        return ""
    return "".join(BARS[(len(BARS) - 1) * value // most] for value in shown)


def decision(event: ModelEvent) -> str:
    """What a gate decided, when in event time, and why."""
    at = NOTHING if event.event_time is None else date(event.event_time)
    return f"{at} {event.action} {event.model} v{event.version}: {event.evidence}"


def _ms(value: float) -> str:
    return f"{milliseconds(value)} ms" if isfinite(value) else NOTHING


def _lag(waiting: Mapping[str, int]) -> str:
    return ", ".join(f"{role} {number(count)}" for role, count in waiting.items()) or NOTHING
