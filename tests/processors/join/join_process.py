"""A joiner as a process of its own, to be killed.

python join_process.py BOOTSTRAP PREFIX FOLDER [INSTANCE [STALL_SECONDS]]
"""

import logging
import sys
from pathlib import Path

from modstream.broker.client.connection import Connection
from modstream.broker.wire.topics import Topics
from modstream.processors.join.faust.app import build_app, run
from modstream.processors.join.joiner import JoinerSettings

HORIZON_MS = 48 * 3600 * 1000
DISORDER_MS = 1000
PARTITIONS = 4


def main(bootstrap, prefix, folder, instance="", stall_seconds="60"):
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(name)s %(message)s")
    settings = JoinerSettings(
        horizon_ms=HORIZON_MS,
        out_of_orderness_ms=DISORDER_MS,
        partitions=PARTITIONS,
        batch=100,
        instance=instance or None,
        idle_seconds=1.0,
        sweep_seconds=0.5,
        stall_seconds=float(stall_seconds),
        data_dir=Path(folder),
    )
    return run(build_app(Connection(bootstrap), Topics("flights", prefix), settings))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
