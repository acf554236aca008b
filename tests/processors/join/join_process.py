"""A joiner as a separate process, for tests that kill it.

python join_process.py BOOTSTRAP PREFIX FOLDER [INSTANCE_ID [STALL_TIMEOUT [DEADLY_ID]]]

The process ends with a segmentation fault while it joins a label of DEADLY_ID.
"""

import logging
import os
import signal
import sys
from pathlib import Path

from modstream.broker.client.connection import Connection
from modstream.broker.loop.crash_journal import CrashJournal
from modstream.broker.wire.record_limits import RecordLimits
from modstream.broker.wire.topics import Topics
from modstream.process.native_faults import NativeFaultHandler
from modstream.processors.join import arrivals
from modstream.processors.join.faust.app import build_app
from modstream.processors.join.faust.run import run_app
from modstream.processors.join.joiner import Protection
from modstream.processors.join.settings import JoinerSettings

HORIZON_MS = 48 * 3600 * 1000
OUT_OF_ORDERNESS_MS = 1000
PARTITIONS = 4


def die_of(deadly_id):
    """Let the state machine die of the labels of one id."""
    on_label = arrivals.on_label

    def deadly(entry, label, *arguments):
        if label.id == deadly_id:
            os.kill(os.getpid(), signal.SIGSEGV)
        return on_label(entry, label, *arguments)

    arrivals.on_label = deadly


def main(bootstrap, prefix, folder, instance_id="", stall_timeout="60", deadly_id=""):
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(name)s %(message)s")
    settings = JoinerSettings(
        horizon_ms=HORIZON_MS,
        out_of_orderness_ms=OUT_OF_ORDERNESS_MS,
        partitions=PARTITIONS,
        max_records=100,
        instance_id=instance_id or None,
        idle_seconds=1.0,
        timer_interval_seconds=0.5,
        stall_timeout=float(stall_timeout),
        data_dir=Path(folder),
    )
    if deadly_id:
        die_of(deadly_id)
    topics = Topics("flights", prefix)
    journal = CrashJournal(Path(folder) / "journal")
    with journal, NativeFaultHandler(settings.stall_timeout, journal.report):
        return run_app(
            build_app(Connection(bootstrap), topics, settings, Protection(journal, RecordLimits()))
        )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
