"""Workers to be harmed, a load that goes on meanwhile, and the verdict.

How to write a scenario:

    @pytest.mark.fault
    def test_...(scene):
        scene.start_workers(3)
        with scene.trial(20_000) as trial:       # sends from now on, two witnesses watch
            for _ in marks(trial, 10):           # faults are driven by progress, not by time
                scene.gun.kill(scene.targets, inside=True)
            verdict = scene.judge("kill -9 inside", trial, scene.gun.kills, scene.gun.inside)
        assert not verdict.found

Sizes are written for one run in CI and multiplied by `--times`. Count the faults that really hit
and assert the count. Settings of the workers: `scene.start_workers(3, delivery="at_least_once")`.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from modstream.broker.client.admin import Admin
from modstream.broker.wire.records import Offsets
from modstream.operations.verify.audit import Verdict
from modstream.operations.verify.echo import ECHO, publish_echo
from modstream.operations.verify.load import Plan
from modstream.operations.verify.observer import exits
from modstream.operations.verify.run import Trial
from modstream.process.supervisor import Backoff, Command, Row, State, Supervisor
from modstream.settings import Settings
from modstream.stack.local_stack import environment_of
from tests.faults.killer import Gun, Target
from tests.faults.phase_page import page_at
from tests.faults.summary import ClosingTable

SECONDS = 90.0
TRIES = 20
ENDLESS = 10**9
SOON = Backoff(first=0.05, longest=0.5, healthy=5.0)
# A dead member holds its partitions until its session ends: short, so that a run is.
SHORT_SESSIONS = {"session.timeout.ms": "4000", "heartbeat.interval.ms": "500"}
SMALL_BATCHES = {"most": 100, "linger": 0.005, "idle": 0.1}


@dataclass
class Scene:
    """One stream of its own with the echo model, and worker processes of slots 0, 1, 2, ...

    `times` multiplies the sizes, `seed` decides about everything that is drawn.
    """

    settings: Settings
    supervisor: Supervisor
    folder: Path
    table: ClosingTable
    times: int
    seed: int
    gun: Gun = field(init=False)

    def __post_init__(self) -> None:
        self.gun = Gun(self.seed)
        self._exits = exits(self.settings.topics())
        self.admin = Admin(self.settings.connection)
        self.admin.create(self.settings.specs())
        publish_echo(self.settings)

    def start_workers(self, count: int, **changes: object) -> None:
        """Start workers in the slots 0 to `count` - 1 and wait until each has partitions."""
        for slot in range(count):
            self.start(slot, **changes)
        self.await_members(count)

    def start(self, slot: int, *traps: Path, **changes: object) -> None:
        """Start the worker of one slot, with traps and changed settings where given."""
        update = {"slot": str(slot), "kafka": SHORT_SESSIONS, **changes}
        found = environment_of(self.settings.model_copy(update=update))
        argv = (
            sys.executable,
            "-m",
            "tests.faults.worker",
            str(self._path(slot)),
            *map(str, traps),
        )
        self.supervisor.start(Command(name_of(slot), argv, found))

    def stop(self, slot: int) -> float:
        """Send SIGTERM to the worker of one slot; returns the seconds until it has ended."""
        until(lambda: any(t.slot == slot and t.is_ready for t in self.targets()), "a worker")
        begun = time.monotonic()
        self.supervisor.stop([name_of(slot)], grace=30.0)
        return time.monotonic() - begun

    def targets(self) -> Sequence[Target]:
        """The processes of all workers that run now."""
        return [
            Target(slot, row.pid, page_at(self._path(slot)))
            for row in self.supervisor.status()
            if row.state is State.RUNNING and row.pid is not None
            for slot in [int(row.name.removeprefix("worker-"))]
        ]

    def scale(self, count: int) -> None:
        """Start or stop workers, the highest slots first to go, until so many have partitions."""
        running = {target.slot for target in self.targets()}
        for slot in set(range(count)) - running:
            self.start(slot)
        for slot in running - set(range(count)):
            self.stop(slot)
        self.await_members(count)

    def freeze_transaction(self) -> tuple[Target, Offsets]:
        """Stop a worker whose transaction is open at the broker, not only begun.

        Returns it with the offsets at which it holds up readers of committed records. What stands
        still for a second is held: other workers' transactions take a small part of that.
        """
        for _ in range(TRIES):
            target = self.gun.freeze(self.targets)
            before, written = self.stable_ends(), self.admin.ends(self._exits)
            time.sleep(1.0)
            now = self.stable_ends()
            held = {p: end for p, end in before.items() if now[p] == end < written[p]}
            if held:
                return target, held
            os.kill(target.pid, signal.SIGCONT)
        raise TimeoutError(f"no open transaction in {TRIES} tries")

    def stable_ends(self) -> Offsets:
        """Where readers of committed records must stop now."""
        return self.admin.ends(self._exits, committed=True)

    def row(self, slot: int) -> Row:
        """What the supervisor knows of a slot."""
        return next(row for row in self.supervisor.status() if row.name == name_of(slot))

    def log(self, slot: int) -> str:
        """What the processes of a slot have logged so far."""
        return (self.supervisor.logs / f"{name_of(slot)}.log").read_text()

    def await_members(self, count: int) -> None:
        """Wait until so many members of the workers' group have partitions."""
        group = self.settings.topics().group("worker")
        until(lambda: self.admin.members(group) == count, f"{count} members in {group}")

    def trial(self, number: int, **plan: object) -> Trial:
        """A run of that many requests, times `times`; the stream is its own.

        By default the load is slower than the workers and runs ahead of the answers by a tenth of
        the run at most.
        """
        asked = number * self.times
        facts = {"keys": 100, "rate": 1000, "ahead": asked // 10, "seed": self.seed}
        return Trial(self.settings, Plan(asked, ECHO, **(facts | plan)), alone=True)

    def judge(self, scenario: str, trial: Trial, faults: int, inside: int = 0) -> Verdict:
        """Let a run end, judge it, and add its row to the closing table."""
        for _ in trial.progress(SECONDS):
            pass
        verdict = trial.verdict()
        self.table.add(scenario, verdict, faults, inside, trial.seconds)
        for fault, found in verdict.findings.items():
            for example in found.examples:
                print(f"{scenario}: {fault}: {example}")  # noqa: T201 - shown where it fails
        if verdict.found:
            self._print_logs()
        return verdict

    def _print_logs(self) -> None:
        """What the processes said last: pytest shows it where a test fails."""
        for log in sorted(self.supervisor.logs.glob("*.log")):
            print(f"--- {log.name}", *log.read_text().splitlines()[-40:], sep="\n")  # noqa: T201

    def _path(self, slot: int) -> Path:
        return self.folder / f"{name_of(slot)}.page"


def marks(trial: Trial, count: int, *, share: float = 0.5) -> Iterator[int]:
    """Yield the count of answers at so many points of a run, evenly in its first `share`.

    The load goes on for as long as the faults take, and then until it has sent half as many again
    as were answered at the last of them: at each fault a third of the work is still to be done.
    """
    trial.wanted = ENDLESS
    answered = 0
    for number in range(1, count + 1):
        mark = int(trial.plan.number * share * number / (count + 1))
        assert trial.await_answers(mark, SECONDS), f"{trial.answered:,} of {mark:,} answers"
        assert trial.is_sending
        yield (answered := trial.answered)
    trial.wanted = max(trial.plan.number, answered * 3 // 2)


def name_of(slot: int) -> str:
    """A slot's name at the supervisor."""
    return f"worker-{slot}"


def until(wish, what: str, seconds: float = SECONDS, pause: float = 0.1) -> None:
    """Look until a wish is fulfilled; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not wish():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(pause)
