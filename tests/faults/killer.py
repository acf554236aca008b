"""The fault gun: stops a worker, looks at its phase, and only then decides about its life."""

import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import NamedTuple

import psutil

from tests.faults.phase_page import Page

PATIENCE = 120.0
LOOK_EVERY = 0.001
LATEST = 0.01
"""Seconds after a delivery was noticed at which it is stopped at the latest."""


class Target(NamedTuple):
    """A worker's process of the moment."""

    slot: int
    pid: int
    page: Page

    @property
    def is_ready(self) -> bool:
        """Whether this very process has come as far as its first delivery could be."""
        return self.page.read().pid == self.pid

    @property
    def is_delivering(self) -> bool:
        """Whether it is between begin and the end of commit; a fact only while it is stopped."""
        phase = self.page.read()
        return phase.pid == self.pid and phase.is_delivering


Targets = Callable[[], Sequence[Target]]


class Gun:
    """Counts what it did: `kills`, and how many of them hit `inside` a delivery.

    A process is stopped (SIGSTOP), and known to stand still, before its page is read: what the
    page says is what was true when it was hit.
    """

    def __init__(self, seed: int) -> None:
        self.kills = 0
        self.inside = 0
        self.freezes = 0
        self._random = Random(seed)

    def kill(self, targets: Targets, *, inside: bool) -> Target:
        """Kill -9 one of the workers that are ready; `inside` waits until one is in a delivery."""
        target = self._stopped(targets, inside=inside)
        self.inside += target.is_delivering
        os.kill(target.pid, signal.SIGKILL)
        self.kills += 1
        return target

    def freeze(self, targets: Targets) -> Target:
        """Stop one of the workers inside a delivery and leave it so; SIGCONT is the caller's."""
        target = self._stopped(targets, inside=True)
        self.freezes += 1
        return target

    def _stopped(self, targets: Targets, *, inside: bool) -> Target:
        """Stop a worker; one that is not where it is wanted goes on, and the next is tried."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            found = [t for t in targets() if (t.is_delivering if inside else t.is_ready)]
            if not found:
                time.sleep(LOOK_EVERY)
                continue
            target = self._random.choice(found)
            if inside:
                # Anywhere in the delivery, not always at its beginning.
                time.sleep(self._random.uniform(0, LATEST))
            # A worker may have ended by itself meanwhile: then another one is the target.
            with suppress(ProcessLookupError, psutil.NoSuchProcess):
                stop(target.pid)
                if target.is_delivering or not inside:
                    return target
                os.kill(target.pid, signal.SIGCONT)
        wanted = "inside a delivery" if inside else "ready"
        raise TimeoutError(f"no worker was {wanted} for {PATIENCE:g} s")


def stop(pid: int) -> None:
    """Stop a process and return when it stands still."""
    os.kill(pid, signal.SIGSTOP)
    process = psutil.Process(pid)
    while process.status() != psutil.STATUS_STOPPED:
        time.sleep(LOOK_EVERY)
