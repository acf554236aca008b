"""The replay of the demo, from the first flight to the last label learned."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

import pandas as pd

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.demo.chaos import ChaosDrill, KillResult
from modstream.demo.drain import wait_until_drained
from modstream.demo.plan import DemoPlan
from modstream.producers.records.bad_records import BAD_RECORDS
from modstream.producers.replay.flights import flights_between
from modstream.producers.replay.pacing import ReplayProgress, hold_for_learner
from modstream.producers.replay.replay import Replay, ReplayControls, ReplayPlan, timeline
from modstream.stack.local_stack import LocalStack

HOLD_POLL_INTERVAL_S = 0.01


@dataclass(frozen=True, slots=True)
class DemoOutcome:
    """The outcome of a replay: the records sent, the kills, the remaining lag by service."""

    sent: ReplayProgress
    kills: list[KillResult] = field(default_factory=list)
    remaining_lag: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class DemoReplay:
    """A replay that runs in the background and reports its progress to the live view."""

    local_stack: LocalStack
    plan: DemoPlan
    flights: pd.DataFrame
    stop: Event
    progress: ReplayProgress = field(default_factory=ReplayProgress)

    def start(self, learner_event_time: Callable[[], int | None]) -> Future[DemoOutcome]:
        """Start in the background; `learner_event_time` returns the learner's progress (ms)."""
        pool = ThreadPoolExecutor(1, "replay")
        future = pool.submit(self._run, learner_event_time)
        pool.shutdown(wait=False)
        return future

    def event_time_range(self) -> tuple[int, int]:
        """Return the event time (ms) of the first and the last flight."""
        days = self.flights["date"]
        start, end = pd.Timestamp(self.plan.start), pd.Timestamp(self.plan.end)
        times = self.flights["scheduled_ms"][(days >= start) & (days < end)]
        return int(times.iloc[0]), int(times.iloc[-1])

    def _run(self, learner_event_time: Callable[[], int | None]) -> DemoOutcome:
        settings, plan = self.local_stack.settings, self.plan
        chaos_drill = ChaosDrill(self.local_stack) if plan.chaos else None
        first, last = self.event_time_range()

        def report(progress: ReplayProgress) -> None:
            self.progress = progress
            if chaos_drill is not None and progress.event_time is not None:
                chaos_drill.kill_due((progress.event_time - first) / (last - first))

        replay_plan = ReplayPlan(
            speed_up=plan.speed_up,
            bad_share=plan.bad_share,
            bad_kinds=tuple(sorted(BAD_RECORDS)),
            seed=plan.seed,
        )
        hold = hold_for_learner(learner_event_time, plan.max_learning_lag_ms, HOLD_POLL_INTERVAL_S)
        controls = ReplayControls(stop=self.stop, hold=hold, report=report)
        with Publisher(settings.connection, "modstream-replay") as publisher:
            replay = Replay(publisher, settings.topics(), replay_plan, controls)
            sent = replay.run(timeline(flights_between(self.flights, plan.start, plan.end)))
        kills = [] if chaos_drill is None else chaos_drill.wait_for_recovery()
        remaining = wait_until_drained(Admin(settings.connection), settings.topics(), self.stop)
        return DemoOutcome(sent, kills, remaining)
