"""What the features of a stream cost a worker's handler, from the polled batch to its records.

    python -m bench.feature_requests

The same requests, 500 in a batch, are answered by a model without such features and by models with
10 and 50 of them, in turns; the models themselves cost nothing. Between two batches, as many
requests and labels are counted, so that nothing can be kept from one batch to the next.
`updates` is the cost of taking these into the worker's copy, for each request. `more` is what both
add in a round; it is compared with the handler without features in the same round, whatever else
the machine does, and with a worker's whole record, about 18 microseconds on an idle machine
(`python -m bench saturation`).
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from statistics import median
from time import process_time

import numpy as np
from rich.console import Console

from bench.features import BATCH, BATCH_MS, RECORD_US, events, feature_set
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.models.evaluation.arrays import FloatArray
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch, Feature, InputSchema
from modstream.process.gc_tuning import relaxed_gc
from modstream.processors.aggregate.served import ServedFeatures
from modstream.processors.aggregate.updates import PartialUpdate, UpdateCodec
from modstream.processors.features.events import LABELS, REQUESTS
from modstream.processors.features.feature_set import FeatureSet
from modstream.processors.features.state import FeatureState
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.model_resolver import SingleModelProvider
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.stream_features import NO_FEATURES
from modstream.report.console import print_tables
from modstream.report.report_table import ReportTable

ROUNDS, WARM_UP = 100, 20
TOPICS, MODEL = Topics("bench"), "model"
GROUPS = ("origin", "carrier", "dest")
NUMBERS = tuple(f"x{number}" for number in range(5))


class Constant:
    """A loaded model that predicts one half."""

    def __init__(self, names: Sequence[str]) -> None:
        own = [Feature(name=name, kind="string") for name in GROUPS]
        floats = [Feature(name=name, kind="float") for name in (*NUMBERS, *names)]
        self.runtime = self
        self.card = ModelCard(
            name=MODEL,
            version=1,
            runtime="onnx",
            task="binary",
            classes=(False, True),
            input_schema=InputSchema(features=(*own, *floats)),
            sha256=Artifact(b"").sha256,
            size=0,
            created=datetime(2026, 1, 1, tzinfo=UTC),
        )

    def predict(self, batch: Batch) -> FloatArray:
        """Return a probability for each row, (n,)."""
        return np.full(batch.size, 0.5)


class HandlerCosts:
    """The microseconds a request of each round, with so many features."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._features = feature_set(size) if size else None
        names = () if self._features is None else self._features.names
        if self._features is not None:
            self._codec = UpdateCodec(TOPICS.features, self._features.aggregations)
            self._state = FeatureState(self._features)
            self._served = ServedFeatures(self._features, self._codec, self._state)
        served = NO_FEATURES if self._features is None else self._served
        provider = SingleModelProvider(Constant(names), frozenset({MODEL}))  # type: ignore[arg-type]
        settings = InferenceSettings((MODEL,))
        self._handle = request_handler(TOPICS, provider, settings, features=lambda: served)
        self.requests: list[float] = []
        self.updates: list[float] = []

    def run(self, number: int, batch: Sequence[Record]) -> None:
        """Measure a round."""
        if self._features is not None:
            self._update(number, self._features)
        begin = process_time()
        records = self._handle(batch).records
        self.requests.append((process_time() - begin) * 1e6 / BATCH)
        if len(records) != BATCH:
            raise AssertionError(f"{len(records)} answers to {BATCH} requests")

    def _update(self, number: int, features: FeatureSet) -> None:
        random, state = Random(number), self._state
        changed = {
            key
            for source in (REQUESTS, LABELS)
            for event in events(random, source, number * BATCH_MS)
            for key in state.add("owner", features.contributions(event))
        }
        updates = [PartialUpdate("owner", key, state.get("owner", key)) for key in changed]
        made = list(map(self._codec.encode, updates))
        records = [Record(one.topic, 0, at, one.key, one.value) for at, one in enumerate(made)]
        begin = process_time()
        self._served.apply(records)
        self.updates.append((process_time() - begin) * 1e6 / BATCH)


def requests(random: Random, start: int) -> list[Record]:
    """Return a batch of requests."""
    found = []
    for number, event in enumerate(events(random, REQUESTS, start)):
        row = {**event.fields, **{name: random.random() for name in NUMBERS}}
        value = json.dumps({"id": event.id, "features": row, "event_time": event.time}).encode()
        found.append(Record(TOPICS.requests, 0, number, b"key", value, (), event.time))
    return found


def main() -> None:
    """Print the table."""
    handled, random = [HandlerCosts(size) for size in (0, 10, 50)], Random(7)
    with relaxed_gc():  # As in a worker.
        for number in range(ROUNDS):
            batch = requests(random, number * BATCH_MS)
            for one in handled:
                one.run(number, batch)
    base = handled[0].requests[WARM_UP:]
    rows = []
    for one in handled:
        requested, updates = one.requests[WARM_UP:], one.updates[WARM_UP:] or [0.0] * len(base)
        added = [sum(two) - none for *two, none in zip(requested, updates, base, strict=True)]
        ratio = median(more / none for more, none in zip(added, base, strict=True))
        more = median(added)
        numbers = (median(requested), median(updates), more)
        shares = (f"{ratio:.2f}", f"{more / RECORD_US:.0%}")
        rows.append((str(one.size), *(f"{number:.2f}" for number in numbers), *shares))
    columns = ("features", "us a request", "updates", "more", "of the handler", "of 18 us")
    title = f"The handler with features of the stream, batches of {BATCH}"
    print_tables([ReportTable(title, columns, tuple(rows))], Console())


if __name__ == "__main__":
    main()
