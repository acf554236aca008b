"""A worker, a joiner and a learner as processes; the latter two are killed at work."""

import os
import shutil
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field

from modstream.stage import environment_of
from modstream.supervisor import Command, State, Supervisor
from tests.faults.gun import Gun, Target, stop
from tests.faults.harness import until
from tests.faults.phases import Page

TRIES = 200


@dataclass
class Victims:
    """The processes, and the gun that is pointed at two of them; it counts what really hit."""

    settings: object
    supervisor: Supervisor
    folder: object
    seed: int
    hits: Counter[str] = field(default_factory=Counter)
    """Kills by process."""
    inside: Counter[str] = field(default_factory=Counter)
    """Those of them between an output and its changelog, or while a version was published."""
    wiped: int = 0
    """How often the joiner's folder was deleted."""

    def __post_init__(self):
        self.gun = Gun(self.seed)

    def start(self, name, *arguments):
        argv = (sys.executable, "-m", *arguments)
        self.supervisor.start(Command(name, argv, environment_of(self.settings)))

    def targets(self, name):
        rows = [row for row in self.supervisor.status() if row.name == name]
        return [
            Target(0, row.pid, Page(self.page(name)))
            for row in rows
            if row.state is State.RUNNING and row.pid is not None
        ]

    def page(self, name):
        return self.folder / f"{name}.page"

    def row(self, name):
        return next(row for row in self.supervisor.status() if row.name == name)

    def kill_joiner(self, *, wipe):
        """Kill -9 with outputs sent and rows unwritten; its folder goes while it stands still."""
        target = self.gun.freeze(lambda: self.targets("joiner"))
        self.inside["joiner"] += target.is_delivering
        if wipe:
            shutil.rmtree(self.folder / "joiner")
            self.wiped += 1
        self.kill("joiner", target.pid)

    def kill_learner(self, newest, load, *, inside):
        """Kill -9 while it publishes, or with rows in the topic that no version covers yet."""
        for _ in range(TRIES):
            if inside:
                target = self.gun.freeze(lambda: self.targets("learner"))
            else:
                fed = load.feedback()
                until(lambda fed=fed: load.feedback() > fed, "more feedback", pause=0.01)
                (target,) = self.targets("learner")
                stop(target.pid)
            if load.feedback() > sum(newest().offsets.values()):
                self.inside["learner"] += target.is_delivering
                self.kill("learner", target.pid)
                return
            os.kill(target.pid, signal.SIGCONT)
        raise TimeoutError(f"the learner was never behind in {TRIES} tries")

    def kill(self, name, pid):
        os.kill(pid, signal.SIGKILL)
        self.hits[name] += 1

    def tell(self, table, load, *, partitions, was, learned, apart, seconds):
        """Add a line to what is printed in the end."""
        table.notes.append(
            f"joiner and learner kill -9, {partitions} partitions: {load.sent:,} requests,"
            f" kills {dict(self.hits)}, inside {dict(self.inside)}, {self.wiped} wipes;"
            f" {dict(was.counts)}, {was.repeats} messages repeated; {learned.learned:,} rows in"
            f" {learned.published} versions, {learned.learned_twice} twice,"
            f" {learned.skipped} skipped, answers {apart:.1e} apart; {seconds:.0f} s"
        )
