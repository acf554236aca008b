"""Spans of processed batches: one for each batch, linked to the contexts of its records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import time_ns

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind

from modstream import __version__
from modstream.broker.wire.records import PARTITION, Record
from modstream.telemetry.traces import conventions as names
from modstream.telemetry.traces.record_contexts import SAMPLED, RecordContexts

TRACE_ID = slice(3, 35)
"""Where a `traceparent` has its trace id."""
BatchAttributes = Mapping[str, str | int | tuple[str, ...]]
"""The attributes of a batch's span."""
SCOPE = InstrumentationScope(names.SCOPE, __version__, names.SCHEMA_URL)


class BatchSpan(ReadableSpan):
    """An ended span of a batch, whose links are made when they are read.

    Attributes:
        contexts: the contexts of the sampled records.
        own_attributes: all attributes.
        times: start and end, in ns since the epoch.
    """

    def __init__(  # noqa: PLR0913 - the fields of a span
        self,
        name: str,
        context: SpanContext,
        contexts: RecordContexts,
        *,
        parent: SpanContext | None,
        resource: Resource,
        scope: InstrumentationScope,
        attributes: BatchAttributes,
        times: tuple[int, int],
    ) -> None:
        super().__init__(
            name,
            context,
            parent,
            resource,
            attributes,
            kind=SpanKind.CONSUMER,
            start_time=times[0],
            end_time=times[1],
            instrumentation_scope=scope,
        )
        self.contexts = contexts
        self.own_attributes = attributes
        self.times = times

    @property
    def links(self) -> Sequence[Link]:
        """The links to the contexts of the sampled records."""
        return self.contexts.links()


@dataclass(frozen=True, slots=True)
class BatchSpans:
    """Ends spans of batches. A batch without a sampled record has none.

    The span belongs to the trace of its sampled records, if they have only one; otherwise it begins
    a trace of its own, since it has one parent at most. It is linked to all in either case.

    Attributes:
        processor: takes the spans.
        resource: what describes this process.
        group: the consumer group that processes the batches.
        attributes: further attributes of all spans.
    """

    processor: SpanProcessor
    resource: Resource
    group: str
    attributes: BatchAttributes = field(default_factory=dict)
    ids: IdGenerator = field(default_factory=RandomIdGenerator)
    scope: InstrumentationScope = SCOPE

    def add(
        self,
        records: Sequence[Record],
        values: Sequence[bytes],
        started: int,
        attributes: BatchAttributes,
    ) -> None:
        """End the span of a batch now.

        Args:
            records: the batch, of one topic.
            values: the `traceparent` of each sampled record.
            started: when its processing began, in ns since the epoch.
            attributes: further attributes of this span.
        """
        contexts = RecordContexts.of(values)
        parent = next(contexts.contexts()) if are_of_one_trace(values) else None
        trace_id = self.ids.generate_trace_id() if parent is None else parent.trace_id
        context = SpanContext(trace_id, self.ids.generate_span_id(), False, SAMPLED)
        topic = records[0].topic
        partitions = set(map(PARTITION, records))
        found: dict[str, str | int | tuple[str, ...]] = {
            names.MESSAGING_SYSTEM: names.KAFKA,
            names.OPERATION_NAME: names.PROCESS,
            names.OPERATION_TYPE: names.PROCESS,
            names.DESTINATION: topic,
            names.CONSUMER_GROUP: self.group,
            names.BATCH_SIZE: len(records),
            **self.attributes,
            **attributes,
        }
        if len(partitions) == 1:
            found[names.PARTITION] = str(partitions.pop())
        span = BatchSpan(
            names.span_name(names.PROCESS, topic),
            context,
            contexts,
            parent=parent,
            resource=self.resource,
            scope=self.scope,
            attributes=found,
            times=(started, time_ns()),
        )
        self.processor.on_end(span)


def are_of_one_trace(values: Sequence[bytes]) -> bool:
    """Return whether all of some `traceparent` have the same trace id."""
    first = values[0][TRACE_ID]
    return values[-1][TRACE_ID] == first and all(value[TRACE_ID] == first for value in values)
