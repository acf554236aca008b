"""A joiner that shows its phase on a page, to be stopped and killed.

python -m tests.faults.joiner PAGE; everything else stands in the settings. It is inside from the
first output of a batch on until the changelog has the rows that belong to it.
"""

import sys
from pathlib import Path

from modstream import logs
from modstream.roles.joiner import run_joiner
from modstream.settings import load_settings
from processors import faust_app
from tests.faults.phases import DELIVERING, IDLE, Page


def main(path: str) -> int:
    settings, page = load_settings(), Page(Path(path))
    logs.configure(settings)
    outputs = {settings.topics().feedback, settings.topics().unjoined}

    class Watched(faust_app.Broker):
        """Doors that show what goes through them."""

        batches = 0

        async def send_rows(self, topic, partition, rows):
            if topic in outputs:
                page.write(DELIVERING, self.batches)
            await super().send_rows(topic, partition, rows)
            if topic.endswith("-changelog"):
                self.batches += 1
                page.write(IDLE, self.batches)

    faust_app.Broker = Watched
    page.write(IDLE, 0)
    return run_joiner(settings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
