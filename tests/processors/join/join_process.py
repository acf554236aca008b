"""A joiner as a separate process, for tests that kill it.

python join_process.py BOOTSTRAP PREFIX FOLDER [INSTANCE_ID [STALL_TIMEOUT]]
"""

import logging
import sys
from pathlib import Path

from modstream.broker.client.connection import Connection
from modstream.broker.wire.topics import Topics
from modstream.processors.join.faust.app import build_app
from modstream.processors.join.faust.run import run_app
from modstream.processors.join.settings import JoinerSettings

HORIZON_MS = 48 * 3600 * 1000
OUT_OF_ORDERNESS_MS = 1000
PARTITIONS = 4


def main(bootstrap, prefix, folder, instance_id="", stall_timeout="60"):
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
    return run_app(build_app(Connection(bootstrap), Topics("flights", prefix), settings))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
