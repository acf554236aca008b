"""A learner that shows its phase on a page, to be stopped and killed.

python -m tests.faults.learner PAGE MODEL [forgetful]; everything else stands in the settings. It is
inside while it publishes a version: from its snapshot until the event that tells of it was sent.
A forgetful one is a mutant: after a restart it does not know again which ids it has learned.
"""

import sys
from pathlib import Path

from modstream import logs
from modstream.process.signals import stop_signals
from modstream.services import learner
from modstream.settings import load_settings
from tests.faults.phase_page import DELIVERING, IDLE, Page

FORGETFUL = "forgetful"


def main(path: str, model: str, manner: str = "") -> None:
    settings, page = load_settings(), Page(Path(path))
    logs.configure(settings)

    class Watched(learner.Press):
        """A press that shows when it runs."""

        def publish(self, evidence: str = "") -> bool:
            page.write(DELIVERING, self.learner.counts.learned)
            try:
                return super().publish(evidence)
            finally:
                page.write(IDLE, self.learner.counts.learned)

    learner.Press = Watched
    if manner == FORGETFUL:
        learner.Learner.remember = lambda self, records: None
    page.write(IDLE, 0)
    with stop_signals() as stop:
        learner.run_learner(settings, model, stop)


if __name__ == "__main__":
    main(*sys.argv[1:])
