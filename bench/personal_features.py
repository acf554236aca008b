"""What personal features cost a worker, in one process and without servers.

    python bench/personal_features.py

The same batches of flights pass through a worker's handler: with no personal feature, with a
number in classes, with a pseudonym, and with a sealed pseudonym. They take turns, in another order
in each round. It prints microseconds of processor time per record, the minimum of several rounds,
and the ratio to the time with no personal feature. The keys of persons are in a temporary file.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import thread_time

from rich.console import Console
from rich.table import Table

from bench.stages import FORMATS, TOPICS, SingleModelProvider, messages, new_deduplicator
from modstream.broker.client.conversions import to_records
from modstream.broker.loop.ports import Handler
from modstream.broker.wire.records import Record
from modstream.broker.wire.sealed import Seal
from modstream.operations.privacy.person_keys import PersonKeys
from modstream.process.gc_tuning import relaxed_gc
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.personal_requests import PersonalFeatures
from modstream.processors.predict.personal_settings import PersonalSettings
from modstream.processors.predict.settings import InferenceSettings

ROUNDS = 5
FLIGHTS = next(one for one in FORMATS if one.name == "flights")
NUMBER = next(one.name for one in FLIGHTS.schema.features if one.kind in {"int", "float"})
TEXT = next(one.name for one in FLIGHTS.schema.features if one.kind == "string")
SEALED = "a sealed pseudonym"
RULES: Mapping[str, dict[str, str]] = {
    "none": {},
    "a number in classes": {NUMBER: "generalise=2"},
    "a pseudonym": {TEXT: "pseudonymise"},
    SEALED: {TEXT: "pseudonymise"},
}


def handlers(keys: PersonKeys) -> dict[str, Handler]:
    """Return a handler for each kind of personal features, on the same model."""
    models, inference = SingleModelProvider(FLIGHTS), InferenceSettings(("m",))
    return {
        name: request_handler(
            TOPICS,
            models,
            inference,
            deduplicator=new_deduplicator(),
            personal=PersonalFeatures(PersonalSettings(rules).protections, keys) if rules else None,
        )
        for name, rules in RULES.items()
    }


def seal(records: Sequence[Record], keys: PersonKeys) -> list[Record]:
    """Return requests as a client seals them, with their keys as they are."""
    persons = [(record.key or b"").decode() for record in records]
    seals = {person: Seal(secret) for person, secret in keys.of(persons).items()}
    sealed = []
    for record, person in zip(records, persons, strict=True):
        document = json.loads(record.value or b"")
        row = document["features"]
        row[TEXT] = seals[person].field(TEXT, row[TEXT])
        sealed.append(record._replace(value=json.dumps(document).encode()))
    return sealed


def measure(keys: PersonKeys) -> dict[str, float]:
    """Return the least microseconds per record for each kind of personal features."""
    handle, least = handlers(keys), dict.fromkeys(RULES, float("inf"))
    for number in range(ROUNDS):
        plain = to_records(messages(FLIGHTS, number))
        sealed = seal(plain, keys)
        names = list(RULES)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            started = thread_time()
            handle[name](sealed if name == SEALED else plain)
            spent = (thread_time() - started) / len(plain) * 1e6
            least[name] = min(spent, least[name])
    return least


def main() -> None:
    """Measure, and print a table."""
    with TemporaryDirectory() as folder, relaxed_gc():  # As in a worker.
        least = measure(PersonKeys.of_home(Path(folder)))
    table = Table(title=f"us of processor time per record, minimum of {ROUNDS} rounds")
    for name in ("personal features", "us", "ratio"):
        table.add_column(name)
    for name, spent in least.items():
        table.add_row(name, f"{spent:.1f}", f"{spent / least['none']:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
