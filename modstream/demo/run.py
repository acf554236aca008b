"""One replay from the first flight to the last label that has been learned."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

import pandas as pd

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.demo.chaos import Drill, Hit
from modstream.demo.drain import drain
from modstream.demo.plan import DemoPlan
from modstream.producers.records.bad_records import BAD
from modstream.producers.replay.flights import flights_between
from modstream.producers.replay.pacing import Progress, leash
from modstream.producers.replay.replay import Controls, Replay, ReplayPlan, timeline
from modstream.stack.local_stack import Stage

LOOK_EVERY = 0.01


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a replay ended: what was sent, the kills that hit, the lag that was left by role."""

    sent: Progress
    hits: list[Hit] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Show:
    """A replay that runs beside the live view, which asks it for its progress."""

    stage: Stage
    plan: DemoPlan
    flights: pd.DataFrame
    stop: Event
    progress: Progress = field(default_factory=Progress)

    def begin(self, learned: Callable[[], int | None]) -> Future[Outcome]:
        """Start in the background; `learned` is the event time (ms) that learning has reached."""
        pool = ThreadPoolExecutor(1, "replay")
        future = pool.submit(self._run, learned)
        pool.shutdown(wait=False)
        return future

    def span(self) -> tuple[int, int]:
        """Event time (ms) of the first and of the last flight."""
        days = self.flights["date"]
        start, end = pd.Timestamp(self.plan.start), pd.Timestamp(self.plan.end)
        times = self.flights["scheduled_ms"][(days >= start) & (days < end)]
        return int(times.iloc[0]), int(times.iloc[-1])

    def _run(self, learned: Callable[[], int | None]) -> Outcome:
        settings, plan = self.stage.settings, self.plan
        drill = Drill(self.stage) if plan.drill else None
        first, last = self.span()

        def report(progress: Progress) -> None:
            self.progress = progress
            if drill is not None and progress.event_time is not None:
                drill.advance((progress.event_time - first) / (last - first))

        wishes = ReplayPlan(
            speed_up=plan.speed_up, faults=plan.faults, kinds=tuple(sorted(BAD)), seed=plan.seed
        )
        hold = leash(learned, plan.leash_ms, LOOK_EVERY)
        controls = Controls(stop=self.stop, hold=hold, report=report)
        with Publisher(settings.connection, "modstream-replay") as publisher:
            replay = Replay(publisher, settings.topics(), wishes, controls)
            sent = replay.run(timeline(flights_between(self.flights, plan.start, plan.end)))
        hits = [] if drill is None else drill.finish()
        left = drain(Admin(settings.connection), settings.topics(), self.stop)
        return Outcome(sent, hits, left)
