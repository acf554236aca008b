"""A worker, a joiner and two learners as processes; all but the first are killed at work."""

import os
import shutil
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field

from modstream.broker.client.admin import Admin
from modstream.process.supervisor import Command, State, Supervisor
from modstream.stack.local_stack import environment_of
from tests.faults.harness import until
from tests.faults.killer import Gun, Target, stop
from tests.faults.phase_page import page_at

TRIES = 200
PATIENCE = 300.0
"""Seconds: a process that was killed has to come up again before it makes progress."""


@dataclass
class Victims:
    """The processes, and the gun that is pointed at them; it counts what really hit.

    A learner's process has the name of its model.
    """

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
        self.trap = self.folder / "trap"

    def start(self, name, *arguments):
        argv = (sys.executable, "-m", *arguments)
        self.supervisor.start(Command(name, argv, environment_of(self.settings)))

    def targets(self, name):
        rows = [row for row in self.supervisor.status() if row.name == name]
        return [
            Target(0, row.pid, page_at(self.page(name)))
            for row in rows
            if row.state is State.RUNNING and row.pid is not None
        ]

    def page(self, name):
        return self.folder / f"{name}.page"

    def row(self, name):
        return next(row for row in self.supervisor.status() if row.name == name)

    def kill_joiner(self, *, wipe):
        """Kill -9 with outputs sent and rows unwritten."""
        target = self.gun.freeze(lambda: self.targets("joiner"))
        self._end_joiner(target, wipe=wipe)

    def kill_learner(self, name, newest, load, *, inside):
        """Kill -9 while it publishes, or with rows in the topic that no version covers yet."""
        for _ in range(TRIES):
            if inside:
                target = self.gun.freeze(lambda: self.targets(name))
            else:
                fed = load.feedback()
                until(lambda fed=fed: load.feedback() > fed, "more feedback", PATIENCE, pause=0.01)
                (target,) = self.targets(name)
                stop(target.pid)
            if load.feedback() > sum(newest(name).offsets.values()):
                self._end_learner(target, name)
                return
            os.kill(target.pid, signal.SIGCONT)
        raise TimeoutError(f"the learner was never behind in {TRIES} tries")

    def kill_all(self, names, newest, *, wipe):
        """Kill -9 the joiner with feedback sent and rows unwritten, learners that have learned it.

        So the joiner will repeat what the learners have learned in a former life.
        """
        self.trap.touch()
        until(lambda: not self.trap.exists(), "feedback sent", PATIENCE)
        (joiner,) = self.targets("joiner")
        stop(joiner.pid)
        ends = Admin(self.settings.connection).ends([self.settings.topics().feedback])
        for name in names:
            until(lambda name=name: covers(newest(name), ends), f"all by {name}", PATIENCE)
            (learner,) = self.targets(name)
            stop(learner.pid)
            self._end_learner(learner, name)
        self._end_joiner(joiner, wipe=wipe)

    def _end_joiner(self, target, *, wipe):
        """Kill a joiner that stands still; its folder goes before it does."""
        self.inside["joiner"] += target.is_delivering
        if wipe:
            shutil.rmtree(self.folder / "joiner")
            self.wiped += 1
        self.kill("joiner", target.pid)

    def _end_learner(self, target, name):
        self.inside[name] += target.is_delivering
        self.kill(name, target.pid)

    def kill(self, name, pid):
        os.kill(pid, signal.SIGKILL)
        self.hits[name] += 1


def covers(card, ends):
    """Whether a version has learned everything up to there."""
    return all(card.offsets.get(str(home), 0) == end for home, end in ends.items())
