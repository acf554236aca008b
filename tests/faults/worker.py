"""A worker that shows its phase on a page, to be stopped and killed.

python -m tests.faults.worker PAGE [TRAP]; everything else stands in the settings. Whose delivery
finds the file TRAP removes it and hangs for ever, as a call that ignores its timeout does.
"""

import sys
from pathlib import Path
from threading import Event

from modstream import logs
from modstream.roles.worker import Parts, delivery, run_worker
from modstream.settings import load_settings
from modstream.stopping import stop_signals
from tests.faults.phases import Page, Watched


class Trapped:
    """A delivery that hangs for ever once it has found its trap."""

    def __init__(self, deliver, trap):
        self._deliver = deliver
        self._trap = trap

    def __call__(self, outgoing, batch):
        if self._trap.exists():
            self._trap.unlink()
            Event().wait()
        self._deliver(outgoing, batch)

    def close(self):
        self._deliver.close()


def main(page: str, trap: str | None = None) -> None:
    settings = load_settings()
    logs.configure(settings)

    def watched(settings, client, source):
        genuine = delivery(settings, client, source)
        deliver = genuine if trap is None else Trapped(genuine, Path(trap))
        return Watched(deliver, Page(Path(page)))

    with stop_signals() as stop:
        run_worker(settings, stop, Parts(delivery=watched))


if __name__ == "__main__":
    main(*sys.argv[1:])
