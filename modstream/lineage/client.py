"""Runs as events of the OpenLineage client. Only this module imports it.

Source: https://openlineage.io/docs/spec. Kafka's topics are named as OpenLineage names them
(https://openlineage.io/docs/spec/naming); a model is the dataset `models/NAME`, its version the
facet `version`, and what else the card says a facet of our own.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import attr
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import (
    InputDataset,
    Job,
    OutputDataset,
    Run,
    RunEvent,
    RunState,
    set_producer,
)
from openlineage.client.facet_v2 import (
    DatasetFacet,
    InputDatasetFacet,
    RunFacet,
    dataset_version_dataset,
    error_message_run,
    job_type_job,
)

from modstream import __version__
from modstream.lineage.emitter import Emit
from modstream.lineage.runs import JobKind, LineageRun, OffsetRange
from modstream.models.schema.card import ModelCard
from modstream.settings import Settings

PRODUCER = f"urn:modstream:{__version__}"
FILE = "lineage-facets.json"
CLOSE_SECONDS = 2.0
KAFKA_DEFAULTS = MappingProxyType({"message.timeout.ms": 10_000, "log_level": 0})
"""An event waits 10 s for Kafka, not 5 minutes; the client's own messages are not printed."""


@attr.define
class ModelVersionDatasetFacet(DatasetFacet):
    """What the card of a version says; `alias` is the one that the run has moved to it."""

    model: str
    version: int
    runtime: str
    task: str
    sha256: str
    created: str
    parent: int | None = None
    alias: str | None = None


@attr.define
class PartitionRange:
    """The offsets of a partition that were read: the first, and the one to stop before."""

    partition: int
    first: int
    stop: int


@attr.define
class OffsetRangesInputDatasetFacet(InputDatasetFacet):
    """The offsets of a topic that were read."""

    ranges: list[PartitionRange]


@attr.define
class ChangeRunFacet(RunFacet):
    """Why a run happened, and who asked for it."""

    reason: str
    user: str | None = None


class EventWriter:
    """Makes events of runs."""

    def __init__(self, settings: Settings) -> None:
        self._namespace = settings.lineage.namespace
        self._kafka = f"kafka://{settings.bootstrap.split(',')[0]}"
        self._schemas = f"{settings.lineage.schemas_url}/{FILE}"

    def event(self, run: LineageRun) -> RunEvent:
        """Return the event of a run."""
        facets: dict[str, RunFacet] = {}
        if run.reason or run.user:
            facets["modstream_change"] = self._own(ChangeRunFacet(run.reason, run.user or None))
        if run.error:
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
                run.error, "Python", producer=PRODUCER
            )
        kind = job_type_job.JobTypeJobFacet("BATCH", "MODSTREAM", run.kind.upper())
        return RunEvent(
            eventType=RunState[run.state],
            eventTime=run.time.isoformat(timespec="milliseconds"),
            producer=PRODUCER,
            run=Run(str(run.id), facets),
            job=Job(self._namespace, run.job, {"jobType": kind}),
            inputs=[*self._topics(run), *self._inputs(run)],
            outputs=[
                OutputDataset(
                    self._namespace, f"models/{card.name}", facets=self._facets(card, run.alias)
                )
                for card in run.outputs
            ],
        )

    def _topics(self, run: LineageRun) -> Iterator[InputDataset]:
        by_topic: defaultdict[str, list[tuple[int, OffsetRange]]] = defaultdict(list)
        for one, offsets in run.offsets.items():
            by_topic[one.topic].append((one.partition, offsets))
        for topic, found in by_topic.items():
            ranges = [PartitionRange(partition, *offsets) for partition, offsets in sorted(found)]
            facet = self._own(OffsetRangesInputDatasetFacet(ranges))
            yield InputDataset(self._kafka, topic, inputFacets={"modstream_offsets": facet})

    def _inputs(self, run: LineageRun) -> Iterator[InputDataset]:
        for card in run.inputs:
            facets = self._facets(card, None)
            yield InputDataset(self._namespace, f"models/{card.name}", facets=facets)

    def _facets(self, card: ModelCard, alias: str | None) -> dict[str, DatasetFacet]:
        version = dataset_version_dataset.DatasetVersionDatasetFacet(str(card.version))
        model = ModelVersionDatasetFacet(
            card.name,
            card.version,
            card.runtime,
            card.task,
            card.sha256,
            card.created.isoformat(),
            card.parent,
            alias,
        )
        return {"version": version, "modstream_model": self._own(model)}

    def _own(self, facet: Any) -> Any:  # noqa: ANN401 - a facet of our own, which keeps its type
        """Return a facet with its producer and the place of its schema."""
        facet._producer = PRODUCER  # noqa: SLF001 - as the specification names it
        facet._schemaURL = f"{self._schemas}#/$defs/{type(facet).__name__}"  # noqa: SLF001
        return facet


class ProblemHandler(logging.Handler):
    """Keeps the errors that the client logs instead of raising them: undelivered events."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.problems: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message of a record."""
        self.problems.append(record.getMessage())


@contextmanager
def connect(settings: Settings) -> Iterator[Emit]:
    """Yield the function that sends the event of a run by the transport of the settings.

    The client's own log is silent: the emitter says once what fails, the client would say it for
    each event.
    """
    handler, log = ProblemHandler(), logging.getLogger("openlineage")
    log.propagate = False
    log.addHandler(handler)
    set_producer(PRODUCER)
    try:
        client = open_client(settings)
        yield sender(client, EventWriter(settings), handler)
        client.close(CLOSE_SECONDS)
    finally:
        log.removeHandler(handler)


def sender(client: OpenLineageClient, writer: EventWriter, handler: ProblemHandler) -> Emit:
    """Return the function that sends the event of a run by a client."""

    def emit(run: LineageRun) -> str | None:
        handler.problems.clear()
        if run.state == "COMPLETE" and run.kind != JobKind.TRAIN:
            # The specification wants a START of each run; these have happened at once.
            client.emit(writer.event(replace(run, state="START")))
        client.emit(writer.event(run))
        return handler.problems[0] if handler.problems else None

    return emit


def open_client(settings: Settings) -> OpenLineageClient:
    """Return the client with the transport of the settings."""
    transport = dict(settings.lineage.transport)
    if not transport:
        return OpenLineageClient()
    if transport.get("type") == "file":
        transport.setdefault("append", True)
    if transport.get("type") == "kafka":
        own = {"bootstrap.servers": settings.bootstrap, **settings.connection.options}
        given = transport.get("config", own)
        transport["config"] = {**KAFKA_DEFAULTS, **given}
    return OpenLineageClient(config={"transport": transport})
