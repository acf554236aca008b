"""What fences cost a worker per record, beside what answering costs.

    python bench/version_markers.py [RECORDS] [TURNS]

Prints microseconds of processor time per record, least and median of all turns: of the whole
handler without fences, and of the look for new fences alone, where there are none. A comparison of
whole handlers drowns in noise. The model is the echo, so that little hides the cost.
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
from modstream.models.examples.echo import FEATURE, make_echo
from modstream.models.runtimes.runtime import load
from modstream.models.schema.card import ModelCard
from modstream.models.serving.loaded_models import Loaded
from modstream.processors.predict.handler import Predict
from modstream.processors.predict.model_resolver import PredictSettings
from modstream.processors.predict.version_markers import Fences

PARTITIONS = 4


def main(records: int, turns: int) -> None:
    """Measure and print."""
    topics, shelf = Topics("bench"), OneModel()
    handle = Predict(topics, shelf, PredictSettings(("echo",)))
    fences = Fences(topics.fences, lambda _home: 1)
    batches = [requests(topics, records, turn) for turn in range(turns)]
    firsts = [dict(enumerate(batch)) for batch in batches]
    tell("answering", records, [taken(partial(handle, batch)) for batch in batches])
    tell("fences", records, [taken(partial(crossed, fences, shelf.card, some)) for some in firsts])


def crossed(fences: Fences, card: ModelCard, firsts: Mapping[int, Record]) -> int:
    """Look for new fences; returns how many there are."""
    return sum(1 for _ in fences.crossed(card, "champion", firsts))


class OneModel:
    """A shelf that holds the echo."""

    def __init__(self) -> None:
        draft, artifact = make_echo("echo")
        self.card = draft.card(1, artifact)
        self._loaded = Loaded(self.card, load(artifact, self.card))

    def get(self, _name: str, _ref: int | str = "champion") -> Loaded:
        """The echo, whatever is asked."""
        return self._loaded


def requests(topics: Topics, count: int, turn: int) -> list[Record]:
    """A batch that goes on where the last one ended, in all partitions."""
    found = []
    for number in range(count):
        request = Request(id=f"r-{turn}-{number}", features={FEATURE: float(number)})
        offset = (turn * count + number) // PARTITIONS
        found.append(Record(topics.requests, number % PARTITIONS, offset, b"key", encode(request)))
    return found


def taken(work: Callable[[], object]) -> float:
    """The processor seconds that some work takes."""
    began = process_time()
    work()
    return process_time() - began


def tell(what: str, records: int, seconds: list[float]) -> None:
    """Print what a record costs."""
    each = [one / records * 1e6 for one in seconds]
    sys.stdout.write(f"{what:10} {min(each):.3f} us per record, median {median(each):.3f}\n")


if __name__ == "__main__":
    main(*(int(argument) for argument in (*sys.argv[1:], *("10000", "11")[len(sys.argv) - 1 :])))
