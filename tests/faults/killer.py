"""Kills workers: stops a process, reads its phase, and then kills it or lets it continue."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import NamedTuple

import psutil

from tests.faults.phase_page import PhasePage

TARGET_TIMEOUT_SECONDS = 240.0
POLL_INTERVAL_SECONDS = 0.001
MAX_DELAY_SECONDS = 0.01
"""Maximum random delay between the start of a delivery and the stop of the process."""


class Target(NamedTuple):
    """A running process of a worker."""

    instance: int
    pid: int
    phase_page: PhasePage

    @property
    def is_ready(self) -> bool:
        """Whether this process has written its phase, so its first delivery may start."""
        return self.phase_page.read().pid == self.pid

    @property
    def is_delivering(self) -> bool:
        """Whether the process is between begin and commit; reliable only while it is stopped."""
        phase = self.phase_page.read()
        return phase.pid == self.pid and phase.is_delivering


Targets = Callable[[], Sequence[Target]]


class ProcessKiller:
    """Kills and stops processes; counts `kills`, kills `inside` a delivery, and `freezes`.

    A process is stopped (SIGSTOP) before its phase is read, so the phase is still valid when the
    process is killed.
    """

    def __init__(self, seed: int) -> None:
        self.kills = 0
        self.inside = 0
        self.freezes = 0
        self._random = Random(seed)

    def kill(self, targets: Targets, *, inside: bool) -> Target:
        """Send SIGKILL to a ready worker; with `inside`, wait for one inside a delivery."""
        target = self._stop_one(targets, inside=inside)
        self.inside += target.is_delivering
        os.kill(target.pid, signal.SIGKILL)
        self.kills += 1
        return target

    def freeze(self, targets: Targets) -> Target:
        """Stop a worker inside a delivery; the caller must send SIGCONT or SIGKILL."""
        target = self._stop_one(targets, inside=True)
        self.freezes += 1
        return target

    def _stop_one(self, targets: Targets, *, inside: bool) -> Target:
        """Stop a worker; if it is not in the wanted phase, continue it and try another one."""
        deadline = time.monotonic() + TARGET_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            candidates = [t for t in targets() if (t.is_delivering if inside else t.is_ready)]
            if not candidates:
                time.sleep(POLL_INTERVAL_SECONDS)
                continue
            target = self._random.choice(candidates)
            if inside:
                # Stop anywhere in the delivery, not always at its beginning.
                time.sleep(self._random.uniform(0, MAX_DELAY_SECONDS))
            # The worker may have exited meanwhile; then another one is chosen.
            with suppress(ProcessLookupError, psutil.NoSuchProcess):
                stop_process(target.pid)
                if target.is_delivering or not inside:
                    return target
                os.kill(target.pid, signal.SIGCONT)
        wanted = "inside a delivery" if inside else "ready"
        raise TimeoutError(f"no worker was {wanted} for {TARGET_TIMEOUT_SECONDS:g} s")


def stop_process(pid: int) -> None:
    """Stop a process with SIGSTOP, and wait until it is stopped."""
    os.kill(pid, signal.SIGSTOP)
    process = psutil.Process(pid)
    while process.status() != psutil.STATUS_STOPPED:
        time.sleep(POLL_INTERVAL_SECONDS)
