"""A learner that writes its phase to a file, to be stopped and killed.

    python -m tests.faults.learner PHASE_FILE MODEL [forget-ids]

Settings come from the environment. A delivery is the publishing of a version: from its snapshot
until its event is sent. With `forget-ids` the learner is a mutant, which does not know after a
restart which ids it has learned.
"""

import sys
from pathlib import Path

from modstream import logs
from modstream.process.signals import stop_signals
from modstream.services import learner
from modstream.settings import load_settings
from tests.faults.phase_page import DELIVERING, IDLE, PhasePage

FORGET_IDS = "forget-ids"


def main(path: str, model: str, mutant: str = "") -> None:
    settings, page = load_settings(), PhasePage(Path(path))
    logs.configure(settings)

    class PhaseReportingPublisher(learner.VersionPublisher):
        """A publisher that writes the phase when it publishes a version."""

        def publish(self, *arguments: object, **options: object) -> bool:
            page.write(DELIVERING, self.learner.counts.learned)
            try:
                return super().publish(*arguments, **options)
            finally:
                page.write(IDLE, self.learner.counts.learned)

    learner.VersionPublisher = PhaseReportingPublisher
    if mutant == FORGET_IDS:
        learner.Learner.backfill_ids = lambda self, records: None
    page.write(IDLE, 0)
    with stop_signals() as stop:
        learner.run_learner(settings, model, stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
