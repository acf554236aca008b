"""Records of an inference log in memory, and a process that exports them.

    python -m tests.modstream.operations.inference_log.log_records FOLDER COUNT ROWS

exports all of them, with a file for every ROWS rows, and can be killed meanwhile.
"""

import json
import sys
from pathlib import Path
from threading import Event

from modstream.broker.wire.records import Record, TopicPartition
from modstream.operations.inference_log.log_export import ExportLimits, LogExporter
from modstream.operations.inference_log.log_folder import LogCommit, LogFolder

TOPIC = "s.inferences"
PARTITIONS = 2
START = 1_700_000_000_000
MINUTE = 60_000


def log_value(number, **fields):
    """Return the value of the record with some number."""
    answer = {"outcome": "answered", "model": "online", "version": 3, "bytes_out": 80}
    source = {"topic": "s.requests", "partition": number % PARTITIONS, "offset": number // 2}
    document = {
        "schema_version": 1,
        "id": f"r{number}",
        "asked_version": "champion",
        "outcome": "answered",
        "answers": [answer],
        "arrived": START + number,
        "read": START + number + 1,
        "handled": START + number + 2,
        "batch": 10,
        "bytes_in": 60,
        "source": source,
    }
    return json.dumps({**document, **fields}).encode()


def log_record(number, **fields):
    """Return the record with some number; there is one in each minute."""
    key, time = b"k%d" % (number % 10), START + number * MINUTE
    return Record(TOPIC, number % PARTITIONS, number // PARTITIONS, key,
                  log_value(number, **fields), (), time)  # fmt: skip


class MemoryLog:
    """A source of records that begins at some offsets, as `Reader` does."""

    def __init__(self, records, offsets):
        self._records = [one for one in records if one.offset >= offsets.get(one.partition, 0)]
        self._positions = {TopicPartition(TOPIC, n): -1 for n in range(PARTITIONS)}

    def poll(self, _timeout=0.0, max_records=1000):
        taken, self._records = self._records[:max_records], self._records[max_records:]
        self._positions.update((one.topic_partition, one.offset + 1) for one in taken)
        return taken

    @property
    def positions(self):
        return dict(self._positions)

    def is_read(self, _positions):
        return not self._records


def export_all(folder, records, rows=1000):
    """Export records to a folder, from where the last export ended; return the report."""
    place = LogFolder(folder)
    with place.locked():
        commit = place.read_commit() or LogCommit(TOPIC)
    source = MemoryLog(records, commit.offsets)
    exporter = LogExporter(source, place, commit, ExportLimits(rows=rows))
    exporter.run(Event(), source.is_read)
    return exporter.report


def main(folder, count, rows):
    export_all(Path(folder), [log_record(number) for number in range(int(count))], int(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
