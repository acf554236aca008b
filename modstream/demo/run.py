"""One demo from start to report."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

from broker.admin import Admin
from broker.publisher import Publisher
from modstream.demo.drain import drain
from modstream.demo.drill import Drill, Hit
from modstream.demo.plan import DemoPlan
from modstream.stage import Stage
from producers.bad import BAD
from producers.flights import flights_between, load_flights
from producers.pacing import Progress, leash
from producers.replay import Controls, Replay, ReplayPlan, timeline


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a replay ended: what was sent, the kills that hit, the lag that was left."""

    sent: Progress
    hits: list[Hit] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)


def count_flights(plan: DemoPlan) -> int:
    """How many flights a plan replays."""
    return sum(1 for _ in flights_between(load_flights(), plan.start, plan.end))


def replay(
    stage: Stage,
    plan: DemoPlan,
    total: int,
    learned: Callable[[], int | None],
    tell: Callable[[Progress], None],
    stop: Event,
) -> Outcome:
    """Replay the plan's flights, strike the drill's victims on the way, and wait for the rest.

    Args:
        stage: where it happens.
        plan: what happens.
        total: how many flights there are.
        learned: event time (ms) of the newest label that has been learned.
        tell: told once a second how far the replay has come.
        stop: ends it early; what was sent by then is still waited for.
    """
    settings, topics = stage.settings, stage.settings.topics()
    drill = Drill(stage) if plan.drill else None

    def progressed(progress: Progress) -> None:
        tell(progress)
        if drill is not None:
            drill.advance(progress.requests / total)

    controls = Controls(stop=stop, hold=leash(learned, plan.leash_ms, 0.01), report=progressed)
    wishes = ReplayPlan(
        speed_up=plan.speed_up, faults=plan.faults, kinds=tuple(sorted(BAD)), seed=plan.seed
    )
    with Publisher(settings.connection, "modstream-replay") as publisher:
        flights = flights_between(load_flights(), plan.start, plan.end)
        sent = Replay(publisher, topics, wishes, controls).run(timeline(flights))
    hits = [] if drill is None else drill.finish()
    return Outcome(sent, hits, drain(Admin(settings.connection), topics, stop))


def in_background(work: Callable[[], Outcome]) -> Future[Outcome]:
    """Run the replay beside the live view."""
    pool = ThreadPoolExecutor(1, "replay")
    future = pool.submit(work)
    pool.shutdown(wait=False)
    return future
