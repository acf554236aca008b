"""The cost of version markers for a worker, compared with that of predictions.

    python bench/version_markers.py [RECORDS] [ROUNDS]

It prints the minimum and median over all rounds in microseconds of processor time per record: for
the whole handler without version markers, and for the search for new markers alone when there are
none. The difference of two whole handlers would be lost in noise. The echo model costs little, so
it does not hide the cost of the markers.
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from time import process_time

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.models.examples.echo import ECHO_FEATURE, make_echo
from modstream.models.registry.refs import CHAMPION
from modstream.models.runtimes.runtime import load
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.serving.loaded_models import LoadedModel
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.version_markers import VersionMarkers

PARTITIONS = 4


def main(records: int, rounds: int) -> None:
    """Measure both costs and print them."""
    topics, provider = Topics("bench"), SingleModelProvider()
    handle = request_handler(topics, provider, InferenceSettings(("echo",)))
    markers = VersionMarkers(topics.version_markers, lambda _partition: 1)
    batches = [request_batch(topics, records, number) for number in range(rounds)]
    first_records = [
        {index: (record, b"key") for index, record in enumerate(batch)} for batch in batches
    ]
    print_cost("predictions", records, [cpu_seconds(partial(handle, batch)) for batch in batches])
    print_cost(
        "version markers",
        records,
        [
            cpu_seconds(partial(count_new_markers, markers, provider.card, firsts))
            for firsts in first_records
        ],
    )


def count_new_markers(
    markers: VersionMarkers, card: ModelCard, firsts: Mapping[int, tuple[Record, bytes]]
) -> int:
    """Return the number of new version markers."""
    return sum(1 for _ in markers.new_markers(card, CHAMPION, firsts))


class SingleModelProvider:
    """A model provider with the echo model only."""

    def __init__(self) -> None:
        spec, artifact = make_echo("echo")
        self.card = spec.make_card(1, Artifact(artifact))
        self._loaded = LoadedModel(self.card, load(Artifact(artifact), self.card))

    def get(self, _name: str, _ref: int | str = CHAMPION) -> LoadedModel:
        """Return the echo model."""
        return self._loaded


def request_batch(topics: Topics, count: int, number: int) -> list[Record]:
    """Return the batch with this number; in each partition it continues the previous batch."""
    batch = []
    for index in range(count):
        request = Request(id=f"r-{number}-{index}", features={ECHO_FEATURE: float(index)})
        offset = (number * count + index) // PARTITIONS
        batch.append(Record(topics.requests, index % PARTITIONS, offset, b"key", encode(request)))
    return batch


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the processor seconds that a call takes."""
    started = process_time()
    work()
    return process_time() - started


def print_cost(name: str, records: int, seconds: list[float]) -> None:
    """Print the minimum and median cost of a record."""
    costs = [one / records * 1e6 for one in seconds]
    sys.stdout.write(f"{name:15} {min(costs):.3f} us per record, median {median(costs):.3f}\n")


if __name__ == "__main__":
    main(*(int(argument) for argument in (*sys.argv[1:], *("10000", "11")[len(sys.argv) - 1 :])))
