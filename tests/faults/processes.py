"""A worker, a joiner and two learners as processes; joiner and learners are killed at work."""

import os
import shutil
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field

from modstream.broker.client.admin import Admin
from modstream.process.supervisor import Command, ProcessState, Supervisor
from modstream.stack.local_stack import child_environment
from tests.faults.harness import wait_until
from tests.faults.killer import ProcessKiller, Target, stop_process
from tests.faults.phase_page import open_phase_page

MAX_ATTEMPTS = 200
PROGRESS_TIMEOUT_SECONDS = 300.0
"""Timeout of progress; a killed process has to restart before it makes any."""


@dataclass
class ServiceProcesses:
    """The processes of the services, the kills so far, and the methods that kill them.

    A learner's process has the name of its model.
    """

    settings: object
    supervisor: Supervisor
    folder: object
    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    """Number of kills by process."""
    kills_inside: Counter[str] = field(default_factory=Counter)
    """Number of kills between an output and its changelog, or during a publish."""
    wipes: int = 0
    """Number of deletions of the joiner's folder."""

    def __post_init__(self):
        self.killer = ProcessKiller(self.seed)
        self.trap = self.folder / "trap"

    def start(self, name, *arguments):
        argv = (sys.executable, "-m", *arguments)
        self.supervisor.start(Command(name, argv, child_environment(self.settings)))

    def targets(self, name):
        rows = [row for row in self.supervisor.status() if row.name == name]
        return [
            Target(0, row.pid, open_phase_page(self.phase_file(name)))
            for row in rows
            if row.state is ProcessState.RUNNING and row.pid is not None
        ]

    def phase_file(self, name):
        return self.folder / f"{name}.phase"

    def row(self, name):
        return next(row for row in self.supervisor.status() if row.name == name)

    def kill_joiner(self, *, wipe):
        """Kill the joiner between its outputs and the rows of its changelog."""
        target = self.killer.freeze(lambda: self.targets("joiner"))
        self._kill_stopped_joiner(target, wipe=wipe)

    def kill_learner(self, name, newest, load, *, inside):
        """Kill a learner during a publish, or while rows in the topic are not in a version yet."""
        for _ in range(MAX_ATTEMPTS):
            if inside:
                target = self.killer.freeze(lambda: self.targets(name))
            else:
                count = load.check_feedback_count()
                wait_until(
                    lambda count=count: load.check_feedback_count() > count,
                    "more feedback",
                    PROGRESS_TIMEOUT_SECONDS,
                    pause=0.01,
                )
                (target,) = self.targets(name)
                stop_process(target.pid)
            if load.check_feedback_count() > sum(newest(name).offsets.values()):
                self._kill_stopped_learner(target, name)
                return
            os.kill(target.pid, signal.SIGCONT)
        raise TimeoutError(f"the learner was never behind in {MAX_ATTEMPTS} attempts")

    def kill_all(self, names, newest, *, wipe):
        """Kill the joiner before it writes its changelog, and learners that learned its feedback.

        After the restart the joiner repeats feedback that the learners learned before it.
        """
        self.trap.touch()
        wait_until(lambda: not self.trap.exists(), "feedback sent", PROGRESS_TIMEOUT_SECONDS)
        (joiner,) = self.targets("joiner")
        stop_process(joiner.pid)
        ends = Admin(self.settings.connection).end_offsets([self.settings.topics().feedback])
        for name in names:
            wait_until(
                lambda name=name: covers(newest(name), ends),
                f"all by {name}",
                PROGRESS_TIMEOUT_SECONDS,
            )
            (learner,) = self.targets(name)
            stop_process(learner.pid)
            self._kill_stopped_learner(learner, name)
        self._kill_stopped_joiner(joiner, wipe=wipe)

    def _kill_stopped_joiner(self, target, *, wipe):
        """Kill a stopped joiner; with `wipe`, delete its folder first."""
        self.kills_inside["joiner"] += target.is_delivering
        if wipe:
            shutil.rmtree(self.folder / "joiner")
            self.wipes += 1
        self.kill("joiner", target.pid)

    def _kill_stopped_learner(self, target, name):
        self.kills_inside[name] += target.is_delivering
        self.kill(name, target.pid)

    def kill(self, name, pid):
        os.kill(pid, signal.SIGKILL)
        self.kills[name] += 1


def covers(card, ends):
    """Whether a version has learned everything up to these end offsets."""
    return all(card.offsets.get(str(partition), 0) == end for partition, end in ends.items())
