"""The workloads: requests of one format to one model."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from bench import benchmark_models, payloads
from bench.benchmark_models import PIXELS, BenchmarkModel
from bench.payloads import Payload, PayloadMaker, request_id
from modstream.broker.wire.records import Headers, ProducerRecord

DISTINCT_PAYLOADS = 1024
"""Default number of payloads; together far larger than the 64 KiB window of lz4."""
EIGHT_FEATURES = [f"x{i}" for i in range(8)]

PayloadFormat = Literal["row", "mixed", "tensor", "binary"]
"""Numbers by name, numbers and strings by name, numbers as a JSON tensor or a binary tensor."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Requests of one format to one model.

    Attributes:
        name: its name, and that of its stream.
        format: the format of the payloads.
        make_model: makes the model.
        make_payload_maker: makes the maker of payloads.
        expected_rate: estimated records per second of the fastest system; it determines how many
            requests are preloaded.
        description: the payload and the model in words.
        distinct_payloads: the number of different payloads, which the requests cycle through.
    """

    name: str
    format: PayloadFormat
    make_model: Callable[[], BenchmarkModel]
    make_payload_maker: Callable[[], PayloadMaker]
    expected_rate: int
    description: str
    distinct_payloads: int = DISTINCT_PAYLOADS

    def draw_payloads(self, count: int, seed: int = 1) -> list[Payload]:
        """Return up to `count` distinct payloads; the same ones for the same seed."""
        rng, maker = random.Random(seed), self.make_payload_maker()
        return [maker(rng) for _ in range(min(count, self.distinct_payloads))]

    def requests(self, topic: str, count: int, headers: Headers = ()) -> Iterator[ProducerRecord]:
        """Yield `count` requests, each with its id as key, and with further headers."""
        distinct = self.draw_payloads(count)
        for number in range(count):
            id_, payload = request_id(number), distinct[number % len(distinct)]
            yield ProducerRecord(topic, id_, payload.with_id(id_), (*payload.headers, *headers))


WORKLOADS = (
    Workload(
        "row8",
        "row",
        benchmark_models.logistic,
        lambda: payloads.row(EIGHT_FEATURES),
        100_000,
        "8 floats by name, JSON; logistic regression",
    ),
    Workload(
        "oip8",
        "tensor",
        benchmark_models.logistic,
        lambda: payloads.tensor(8),
        100_000,
        "8 floats as a V2 tensor, JSON; logistic regression",
    ),
    Workload(
        "bin8",
        "binary",
        benchmark_models.logistic,
        lambda: payloads.binary_tensor(8),
        100_000,
        "8 floats as a V2 tensor, binary; logistic regression",
    ),
    Workload(
        "forest",
        "row",
        benchmark_models.forest,
        lambda: payloads.row(EIGHT_FEATURES),
        100_000,
        "8 floats by name, JSON; forest of 50 trees, 8 levels deep",
    ),
    Workload(
        "mlp",
        "row",
        benchmark_models.mlp,
        lambda: payloads.row(EIGHT_FEATURES),
        100_000,
        "8 floats by name, JSON; perceptron with 64 hidden units",
    ),
    Workload(
        "ffnn",
        "tensor",
        benchmark_models.ffnn,
        lambda: payloads.tensor(PIXELS),
        8_000,
        "784 floats to 10 classes, JSON; Crayfish's network",
    ),
    Workload(
        "ffnn-bin",
        "binary",
        benchmark_models.ffnn,
        lambda: payloads.binary_tensor(PIXELS),
        16_000,
        "784 floats to 10 classes, binary; Crayfish's network",
    ),
    Workload(
        "flights",
        "mixed",
        benchmark_models.flights,
        lambda: payloads.table_rows(benchmark_models.flight_rows()),
        60_000,
        "16 columns of flights, JSON; one-hot and boosted trees",
    ),
    Workload(
        "river",
        "mixed",
        benchmark_models.river,
        lambda: payloads.table_rows(benchmark_models.flight_rows()),
        60_000,
        "16 columns of flights, JSON; River pipeline",
    ),
)
