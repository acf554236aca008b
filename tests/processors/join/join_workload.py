"""Random predictions and labels over several days, and the messages expected for them."""

from dataclasses import dataclass
from itertools import pairwise
from random import Random

from tests.processors.join.join_oracle import Oracle
from tests.processors.join.join_process import HORIZON_MS, OUT_OF_ORDERNESS_MS

BEGIN = 1_700_000_000_000
HOUR_MS = 3600 * 1000
REQUESTS, INTERVAL_MS = 1000, 8 * 60 * 1000
MISSING, EARLY, REVISED, REPEATED = range(5), range(5, 10), range(10, 13), range(13, 15)
"""Kinds of requests by their number modulo 100."""
MODELS = ("online", "frozen")


@dataclass
class JoinWorkload:
    """Predictions by id, and labels (id, value, revision, event time) in the order of event time.

    Of 100 requests, 5 never get a label, 5 get one before their prediction, 3 get another value
    later, and 2 the same value again; labels take 0 to 48 hours. 20 labels have no request.
    """

    times: dict[str, int]
    labels: list[tuple[str, bool, int, int]]

    @classmethod
    def generate(cls, seed):
        random = Random(seed)
        times = {f"r{number}": BEGIN + number * INTERVAL_MS for number in range(REQUESTS)}
        labels = [(f"unknown-{number}", True, 0, BEGIN) for number in range(20)]
        for number, (name, predicted_at) in enumerate(times.items()):
            kind, truth = number % 100, random.random() < 0.3
            delay = random.randrange(HORIZON_MS - 2 * OUT_OF_ORDERNESS_MS)
            at = predicted_at + (-random.randrange(HOUR_MS) if kind in EARLY else delay)
            later = at + random.randrange(HOUR_MS, 12 * HOUR_MS)
            if kind not in MISSING:
                labels.append((name, truth, 0, at))
            if kind in REVISED:
                labels.append((name, not truth, 1, later))
            if kind in REPEATED:
                labels.append((name, truth, 0, later))
        return cls(times, sorted(labels, key=lambda label: label[3]))

    @property
    def end(self):
        """The event time after which every horizon has passed."""
        return self.labels[-1][3] + HORIZON_MS + 10_000

    def split(self, count):
        """Yield the ids and labels of `count` consecutive periods of event time."""
        last = max(self.times.values())
        cuts = [0, *(BEGIN + (last - BEGIN) * part // count for part in range(1, count)), self.end]
        for begin, end in pairwise(cuts):
            names = [name for name, at in self.times.items() if begin <= at < end]
            yield names, [label for label in self.labels if begin <= label[3] < end]

    def run_oracle(self):
        """Return an oracle after all events and after every horizon has passed."""
        predictions = [(at, 0, name, model) for name, at in self.times.items() for model in MODELS]
        events = [*predictions, *((label[3], 1, *label[:3]) for label in self.labels)]
        oracle = Oracle(HORIZON_MS, OUT_OF_ORDERNESS_MS)
        for at, is_label, name, *values in sorted(events, key=lambda event: event[0]):
            if is_label:
                oracle.label(name, *values, at)
            else:
                oracle.prediction(name, *values, at, values == ["online"])
        oracle.max_event_times = dict.fromkeys(oracle.max_event_times, self.end)
        oracle.advance_time(())
        return oracle
