"""What fences cost a worker: the same batches handled with and without, in turns.

    python bench/fences.py [RECORDS] [TURNS]

Prints microseconds per record, and the fences written. The model is the echo, so that little hides
the cost.
"""

import sys
from statistics import median
from time import perf_counter

from broker.codec import encode
from broker.contracts import Request
from broker.names import Topics
from broker.records import Record
from models.echo import FEATURE, make_echo
from models.residents import Loaded
from models.runtime import load
from processors.fences import Fences
from processors.predict import Predict, PredictSettings

PARTITIONS = 4


def main(records: int, turns: int) -> None:
    """Measure and print."""
    topics, shelf = Topics("bench"), OneModel()
    settings = PredictSettings(("echo",))
    fences = Fences(topics.fences, lambda _home: 1)
    handlers = {
        "without": Predict(topics, shelf, settings),
        "with": Predict(topics, shelf, settings, fences=fences),
    }
    seconds: dict[str, list[float]] = {name: [] for name in handlers}
    written = 0
    for turn in range(turns):
        batch = requests(topics, records, turn)
        for name, handle in handlers.items():
            began = perf_counter()
            outgoing = handle(batch)
            seconds[name].append(perf_counter() - began)
            written += sum(record.topic == topics.fences for record in outgoing)
    for name, taken in seconds.items():
        middle, least = median(taken) / records * 1e6, min(taken) / records * 1e6
        sys.stdout.write(f"{name:8} {middle:.2f} us per record, least {least:.2f}\n")
    sys.stdout.write(f"{written} fences\n")


class OneModel:
    """A shelf that holds the echo."""

    def __init__(self) -> None:
        draft, artifact = make_echo("echo")
        card = draft.card(1, artifact)
        self._loaded = Loaded(card, load(artifact, card))

    def get(self, _name: str, _ref: int | str = "champion") -> Loaded:
        """The echo, whatever is asked."""
        return self._loaded


def requests(topics: Topics, count: int, turn: int) -> list[Record]:
    """A batch that goes on where the last one ended, in all partitions."""
    return [
        Record(
            topics.requests,
            number % PARTITIONS,
            (turn * count + number) // PARTITIONS,
            b"key",
            encode(Request(id=f"r-{turn}-{number}", features={FEATURE: float(number)})),
        )
        for number in range(count)
    ]


if __name__ == "__main__":
    main(*(int(argument) for argument in (*sys.argv[1:], *("10000", "11")[len(sys.argv) - 1 :])))
