"""A joiner that writes its phase to a file, to be stopped and killed.

    python -m tests.faults.joiner PHASE_FILE TRAP

Settings come from the environment. A delivery lasts from the first output of a batch until the
changelog contains the batch's rows. If the file TRAP exists, the joiner removes it and stops
itself after training feedback was acknowledged, and before the changelog rows are written.
"""

import os
import signal
import sys
from pathlib import Path

from modstream import logs
from modstream.processors.join.faust import app
from modstream.services.joiner import run_joiner
from modstream.settings import load_settings
from tests.faults.phase_page import DELIVERING, IDLE, PhasePage

FEATURES = b'"features":{'
"""Occurs in feedback for training only; feedback without features has only predictions."""


def stop_at(trap: Path) -> None:
    """If the trap exists, remove it and stop this process."""
    if trap.exists():
        trap.unlink()
        os.kill(os.getpid(), signal.SIGSTOP)


def main(path: str, trap_path: str) -> int:
    settings, page, trap = load_settings(), PhasePage(Path(path)), Path(trap_path)
    logs.configure(settings)
    topics = settings.topics()
    outputs = {topics.feedback, topics.unjoined}

    class PhaseReportingIO(app.FaustIO):
        """The joiner's I/O, which writes the phase when outputs and changelog rows are sent."""

        batches = 0
        has_sent_training = False

        async def send_rows(self, topic, partition, rows):
            is_changelog = topic.endswith("-changelog")
            if topic in outputs:
                page.write(DELIVERING, self.batches)
            if is_changelog and self.has_sent_training:
                stop_at(trap)
            await super().send_rows(topic, partition, rows)
            is_training = topic == topics.feedback and any(FEATURES in value for _, value in rows)
            self.has_sent_training = not is_changelog and (self.has_sent_training or is_training)
            if is_changelog:
                self.batches += 1
                page.write(IDLE, self.batches)

    app.FaustIO = PhaseReportingIO
    page.write(IDLE, 0)
    return run_joiner(settings)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
