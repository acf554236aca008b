"""The workloads: which requests are sent to which model."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from bench import benchmark_models, payloads
from bench.benchmark_models import PIXELS, Exhibit
from bench.payloads import Maker, Payload, request_id
from modstream.broker.wire.records import Headers, Outgoing

VARIETY = 1024
"""Different payloads; together far larger than the 64 KiB in which lz4 finds repetitions."""
EIGHT = [f"x{i}" for i in range(8)]

Form = Literal["row", "mixed", "tensor", "binary"]
"""Numbers by name, numbers and strings by name, numbers as a tensor in JSON or in binary."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Requests of one form to one model; its name is the stream's.

    `make` gives the maker of payloads, `rate` the records a second that the fastest subject is
    thought to pass on, from which follows how many records are laid ready. `variety` is the number
    of different payloads, which are sent by turns.
    """

    name: str
    form: Form
    exhibit: Callable[[], Exhibit]
    make: Callable[[], Maker]
    rate: int
    meaning: str
    variety: int = VARIETY

    def drawn(self, most: int, seed: int = 1) -> list[Payload]:
        """Its different payloads, or the first of them; the same of the same seed."""
        rng, maker = random.Random(seed), self.make()
        return [maker(rng) for _ in range(min(most, self.variety))]

    def requests(self, topic: str, count: int, headers: Headers = ()) -> Iterator[Outgoing]:
        """So many requests, each with its own id for a key, and these headers more."""
        drawn = self.drawn(count)
        for number in range(count):
            name, payload = request_id(number), drawn[number % len(drawn)]
            yield Outgoing(topic, name, payload.with_id(name), (*payload.headers, *headers))


WORKLOADS = (
    Workload(
        "row8",
        "row",
        benchmark_models.logistic,
        lambda: payloads.row(EIGHT),
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
        lambda: payloads.row(EIGHT),
        100_000,
        "8 floats by name, JSON; forest of 50 trees, 8 deep",
    ),
    Workload(
        "mlp",
        "row",
        benchmark_models.mlp,
        lambda: payloads.row(EIGHT),
        100_000,
        "8 floats by name, JSON; perceptron, 64 hidden",
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
        lambda: payloads.rows_of(benchmark_models.flight_rows()),
        60_000,
        "16 columns of flights, JSON; one-hot and boosted trees",
    ),
    Workload(
        "river",
        "mixed",
        benchmark_models.river,
        lambda: payloads.rows_of(benchmark_models.flight_rows()),
        60_000,
        "16 columns of flights, JSON; River pipeline",
    ),
)
