"""A joiner that shows its phase on a page, to be stopped and killed.

python -m tests.faults.joiner PAGE TRAP; everything else stands in the settings. It is inside from
the first output of a batch on until the changelog has the rows that belong to it. Where it finds
the file TRAP, it removes it and stands still: feedback that teaches is acknowledged, its rows are
unwritten.
"""

import os
import signal
import sys
from pathlib import Path

from modstream import logs
from modstream.processors.join.faust import app
from modstream.services.joiner import run_joiner
from modstream.settings import load_settings
from tests.faults.phase_page import DELIVERING, IDLE, Page

FEATURES = b'"features":{'
"""In feedback that a learner learns from; what only repeats an answer has none."""


def walk_into(trap: Path) -> None:
    """Remove the trap and stand still, if there is one."""
    if trap.exists():
        trap.unlink()
        os.kill(os.getpid(), signal.SIGSTOP)


def main(path: str, trap_path: str) -> int:
    settings, page, trap = load_settings(), Page(Path(path)), Path(trap_path)
    logs.configure(settings)
    topics = settings.topics()
    outputs = {topics.feedback, topics.unjoined}

    class Watched(app.Broker):
        """Doors that show what goes through them."""

        batches = 0
        has_taught = False

        async def send_rows(self, topic, partition, rows):
            is_changelog = topic.endswith("-changelog")
            if topic in outputs:
                page.write(DELIVERING, self.batches)
            if is_changelog and self.has_taught:
                walk_into(trap)
            await super().send_rows(topic, partition, rows)
            taught = topic == topics.feedback and any(FEATURES in value for _, value in rows)
            self.has_taught = not is_changelog and (self.has_taught or taught)
            if is_changelog:
                self.batches += 1
                page.write(IDLE, self.batches)

    app.Broker = Watched
    page.write(IDLE, 0)
    return run_joiner(settings)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
