"""What the inference log costs a worker, in one process and without servers.

    python bench/inference_log.py [FORMAT ...]

The same batches pass through a worker's poll, handler and produce call, with the log off, on, and
on with the features and outputs of all requests. The three take turns, in another order in each
round. It prints microseconds of processor time per record, the minimum of several rounds, and the
ratio to the time with the log off. The produce call is into a queue without a broker.
"""

import sys
from collections.abc import Callable, Mapping
from time import thread_time

from confluent_kafka import Producer
from rich.console import Console
from rich.table import Table

from bench.stages import (
    FORMATS,
    TOPICS,
    SingleModelProvider,
    StageFormat,
    messages,
    new_deduplicator,
)
from modstream.broker.client.conversions import to_records
from modstream.broker.client.produce import produce_records
from modstream.broker.loop.ports import Handler
from modstream.broker.wire.record_limits import RecordLimits
from modstream.process.gc_tuning import relaxed_gc
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.inference_log import InferenceLog
from modstream.processors.predict.log_settings import InferenceLogSettings
from modstream.processors.predict.settings import InferenceSettings

ROUNDS = 9
NAMES = ("row8", "oip8", "flights")
LOGS: Mapping[str, InferenceLogSettings] = {
    "off": InferenceLogSettings(),
    "on": InferenceLogSettings(enabled=True),
    "values of 1 %": InferenceLogSettings(enabled=True, features=True, outputs=True, sample=0.01),
    "values": InferenceLogSettings(enabled=True, features=True, outputs=True),
}


def handlers(format_: StageFormat) -> dict[str, Handler]:
    """Return a handler for each setting of the log, on the same model."""
    models, inference = SingleModelProvider(format_), InferenceSettings(("m",))
    return {
        name: request_handler(
            TOPICS,
            models,
            inference,
            deduplicator=new_deduplicator(),
            log=InferenceLog(TOPICS, log, inference, RecordLimits()) if log.enabled else None,
        )
        for name, log in LOGS.items()
    }


def cpu_time(call: Callable[[], object]) -> float:
    """Return the seconds of processor time of a call."""
    started = thread_time()
    call()
    return thread_time() - started


def measure(format_: StageFormat) -> dict[str, float]:
    """Return the least microseconds per record for each setting of the log."""
    handle = handlers(format_)
    least: dict[str, float] = {}
    for number in range(ROUNDS):
        order = list(handle)[number % len(handle) :] + list(handle)[: number % len(handle)]
        for name in order:
            polled = messages(format_, number)
            producer = Producer({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})

            def work(name: str = name, producer: Producer = producer) -> None:
                produce_records(producer, handle[name](to_records(polled)).records)  # noqa: B023

            spent = cpu_time(work) / format_.batch * 1e6
            producer.purge()
            producer.flush(0)
            least[name] = min(spent, least.get(name, spent))
    return least


def main(*names: str) -> None:
    """Measure the formats with these names, by default three, and print a table."""
    chosen = [one for one in FORMATS if one.name in (names or NAMES)]
    with relaxed_gc():  # As in a worker.
        costs = {one.name: measure(one) for one in chosen}
    table = Table(title=f"us of processor time per record, minimum of {ROUNDS} rounds")
    table.add_column("log")
    for name in costs:
        table.add_column(name, justify="right")
    for log in LOGS:
        cells = (f"{one[log]:.2f}  x {one[log] / one['off']:.2f}" for one in costs.values())
        table.add_row(log, *cells)
    Console().print(table)


if __name__ == "__main__":
    main(*sys.argv[1:])
