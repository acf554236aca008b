"""The replay of the demo, from the first flight to the last label learned."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.demo.chaos import ChaosDrill, KillResult
from modstream.demo.drain import wait_until_drained
from modstream.demo.feature_progress import FeatureProgress
from modstream.demo.first_state import DemoData
from modstream.demo.plan import DemoPlan
from modstream.producers.records.bad_records import BAD_RECORDS
from modstream.producers.replay.flights import board_between, flights_between
from modstream.producers.replay.pacing import (
    HoldHook,
    ReplayProgress,
    hold_for_all,
    hold_for_features,
    hold_for_learner,
)
from modstream.producers.replay.replay import (
    AnyEvent,
    Replay,
    ReplayControls,
    ReplayPlan,
    timeline,
    with_board,
)
from modstream.stack.local_stack import LocalStack

HOLD_POLL_INTERVAL_S = 0.01


@dataclass(frozen=True, slots=True)
class DemoOutcome:
    """The outcome of a replay: the records sent, the kills, the remaining lag by service.

    `uncounted` is the number of labels and entries of the board that the features never counted.
    """

    sent: ReplayProgress
    kills: list[KillResult] = field(default_factory=list)
    remaining_lag: dict[str, int] = field(default_factory=dict)
    uncounted: int = 0


@dataclass(slots=True)
class DemoReplay:
    """A replay that runs in the background and reports its progress to the live view."""

    local_stack: LocalStack
    plan: DemoPlan
    data: DemoData
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
        return self.data.event_time_range

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
        with (
            FeatureProgress(
                settings.connection, settings.topics(), self.data.board_topic
            ) as counted,
            Publisher(settings.connection, "modstream-replay") as publisher,
        ):
            hold = hold_for_all(*self._holds(learner_event_time, counted))
            controls = ReplayControls(self.stop, hold, report, counted.on_send)
            topics = settings.topics()
            replay = Replay(publisher, topics, replay_plan, controls, self.data.board_topic)
            sent = replay.run(self._events(first, last))
        kills = [] if chaos_drill is None else chaos_drill.wait_for_recovery()
        remaining = wait_until_drained(Admin(settings.connection), settings.topics(), self.stop)
        return DemoOutcome(sent, kills, remaining, counted.given_up)

    def _events(self, first: int, last: int) -> Iterable[AnyEvent]:
        plan = self.plan
        events = timeline(flights_between(self.data.flights, plan.start, plan.end))
        if self.data.board is None:
            return events
        return with_board(
            events, board_between(self.data.board, first, last), plan.max_feature_lag_ms
        )

    def _holds(
        self, learner_event_time: Callable[[], int | None], counted: FeatureProgress
    ) -> list[HoldHook]:
        plan, pause = self.plan, HOLD_POLL_INTERVAL_S
        holds = [
            hold_for_learner(learner_event_time, plan.max_learning_lag_ms, pause),
            hold_for_features(counted.oldest_label, plan.max_feature_lag_ms, pause),
            # A request that waits for a worker must not be answered with labels of hours later.
            hold_for_features(counted.oldest_request, plan.max_answer_lag_ms, pause),
        ]
        if self.data.board is not None:
            # Entries of the board are sent ahead: those of the next event's minute are counted.
            holds.append(hold_for_features(counted.oldest_entry, -1, pause))
        return holds
