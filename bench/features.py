"""What the features of a stream cost: reading them for requests, and keeping their state.

    python -m bench.features

Batches of 500 requests of the flights' groups: 3 origins, 16 carriers, 100 destinations. Between
two batches, as many labels arrive as there are requests, so that no number can be kept from one
batch to the next. `unknown` are batches whose groups no event belongs to. A worker's whole record
costs about 18 microseconds without features (`python -m bench saturation`).
"""

from collections.abc import Iterator
from random import Random
from statistics import median
from time import process_time

import numpy as np
from rich.console import Console

from modstream.processors.features.events import LABELS, REQUESTS, Event
from modstream.processors.features.feature_set import FeatureSet
from modstream.processors.features.files import parse_features
from modstream.processors.features.reader import FeatureReader
from modstream.processors.features.state import FeatureState
from modstream.report.console import print_tables
from modstream.report.report_table import ReportTable

BATCH = 500
ROUNDS = 60
WARM_UP = 20
BATCH_MS = 5_000
"""How much event time passes from one batch to the next."""
RECORD_US = 18.0
"""The cost of a worker's record without features, on the machine of `docs/speed.md`."""

GRID = """
[[features]]
name = "late_{aggregate}_{group}_{window}"
source = "labels"
groups = [[], ["origin"], ["carrier"], ["origin", "carrier"], ["dest"]]
windows = WINDOWS
aggregates = ["rate", "count"]
value = "label"
smoothing = 20
"""
WINDOWS = {10: ("1h",), 50: ("1h", "2h", "4h", "24h", "7d")}
"""The windows of the sets, by their numbers of features."""


def feature_set(size: int) -> FeatureSet:
    """Return a set of so many features."""
    windows = ", ".join(f'"{one}"' for one in WINDOWS[size])
    return parse_features(GRID.replace("WINDOWS", f"[{windows}]").encode(), "bench")


def events(random: Random, source: str, start: int) -> Iterator[Event]:
    """Yield events for one batch."""
    for number in range(BATCH):
        fields = {
            "origin": random.choice(("EWR", "JFK", "LGA")),
            "carrier": f"C{random.randrange(16)}",
            "dest": f"D{random.randrange(100)}",
        }
        time = start + number * BATCH_MS // BATCH
        yield Event(source, time, f"{start}-{number}", fields, random.random() < 0.2, time)


class Costs:
    """The microseconds of each round of one set of features."""

    def __init__(self, size: int) -> None:
        self._features = feature_set(size)
        self._state = FeatureState(self._features)
        self._reader = FeatureReader(self._state)
        self._random = Random(7)
        self.reads: list[float] = []
        self.unknown: list[float] = []
        self.adds: list[float] = []

    def run(self) -> None:
        """Measure all rounds."""
        for number in range(ROUNDS + WARM_UP):
            start = number * BATCH_MS
            labels = list(events(self._random, LABELS, start))
            begin = process_time()
            for label in labels:
                self._state.add("labels-0", self._features.contributions(label))
            self.adds.append(_per_record(begin))
            self.reads.append(self._read(start, ""))
            self.unknown.append(self._read(start, "-"))
        for one in (self.reads, self.unknown, self.adds):
            del one[:WARM_UP]

    def _read(self, start: int, suffix: str) -> float:
        requests = list(events(self._random, REQUESTS, start))
        columns = {
            name: [f"{one.fields[name]}{suffix}" for one in requests]
            for name in ("origin", "carrier", "dest")
        }
        times = np.array([one.time for one in requests])
        begin = process_time()
        self._reader.values(columns, times)
        return _per_record(begin)


def _per_record(begin: float) -> float:
    return (process_time() - begin) * 1e6 / BATCH


def main() -> None:
    """Print the table."""
    rows = [("0", "0.00", "0.00", "0%", "0.00", "0.00")]
    for size in (10, 50):
        costs = Costs(size)
        costs.run()
        read, unknown, add = map(median, (costs.reads, costs.unknown, costs.adds))
        share = f"{read / RECORD_US:.0%}"
        rows.append(
            (str(size), f"{read:.2f}", f"{read / size:.3f}", share, f"{unknown:.2f}", f"{add:.2f}")
        )
    columns = ("features", "us a record", "us a feature", "of 18 us", "unknown", "us a label")
    title = f"Features of the stream, batches of {BATCH}"
    print_tables([ReportTable(title, columns, tuple(rows))], Console())


if __name__ == "__main__":
    main()
