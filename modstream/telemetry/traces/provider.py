"""The tracing of a process by OpenTelemetry's SDK."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Tracer

from modstream import __version__
from modstream.broker.loop.ports import Delivery, Handler
from modstream.processors.join.ports import OnJoined
from modstream.producers.gateway.call_tracing import CallTracer
from modstream.producers.ports import TraceSend
from modstream.telemetry.traces import conventions as names
from modstream.telemetry.traces.batch_spans import BatchAttributes, BatchSpans
from modstream.telemetry.traces.call_spans import CallSpans
from modstream.telemetry.traces.collector import Collector
from modstream.telemetry.traces.exporter import SpanExporter
from modstream.telemetry.traces.ports import IsNew, Learn
from modstream.telemetry.traces.processed import TracedWorker, add_joiner_span, traced_learning
from modstream.telemetry.traces.send_spans import SendSpans
from modstream.telemetry.traces.span_queue import SpanQueue
from modstream.trace_settings import TracingSettings

STOP_SECONDS = 3.0
"""How long the end of a process waits for the collector to take the last spans."""


class OtelTracing:
    """The tracing of one process, whose spans go to a processor.

    The provider is not the global one: a program that embeds a service keeps its own.
    """

    def __init__(
        self, processor: SpanProcessor, resource: Resource, ratio: float, stream: str
    ) -> None:
        self._processor = processor
        self._resource = resource
        self._stream = stream
        sampler = ParentBased(TraceIdRatioBased(ratio))
        provider = TracerProvider(sampler, resource, shutdown_on_exit=False)
        provider.add_span_processor(processor)
        self.tracer: Tracer = provider.get_tracer(names.SCOPE, __version__, names.SCHEMA_URL)

    def worker(self, handle: Handler, deliver: Delivery, group: str) -> tuple[Handler, Delivery]:
        """Return a worker's handler and delivery with a span for each delivered batch."""
        traced = TracedWorker(self._batches(group), handle, deliver)
        return traced.handle, traced

    def joiner(self, group: str) -> OnJoined:
        """Return what is called with each batch that a joiner has joined."""
        return partial(add_joiner_span, self._batches(group))

    def learner(self, learn: Learn, is_new: IsNew, group: str, model: str) -> Learn:
        """Return a function that learns feedback with a span for each batch."""
        spans = self._batches(group, {names.MODEL_NAME: model})
        return traced_learning(spans, learn, is_new)

    def calls(self) -> CallTracer:
        """Return what traces the calls of a gateway."""
        return CallSpans(self.tracer)

    def sends(self, *, begins: bool = False) -> TraceSend:
        """Return what traces sent records."""
        return SendSpans(self.tracer, begins=begins)

    def _batches(self, group: str, attributes: BatchAttributes | None = None) -> BatchSpans:
        found = {names.STREAM: self._stream, **(attributes or {})}
        return BatchSpans(self._processor, self._resource, group, found)


@contextmanager
def exported_tracing(
    settings: TracingSettings, service: str, name: str, stream: str
) -> Iterator[OtelTracing]:
    """Yield the tracing of this process, whose spans a collector gets.

    At the end, the collector has a few seconds to take the last ones.

    Args:
        settings: the share of calls and the collector.
        service: what the process is, such as `worker`.
        name: what tells it from all others.
        stream: the stream that it serves.

    Raises:
        InvalidSettings: a variable of OpenTelemetry has an invalid value.
    """
    exporter = SpanExporter(Collector.of(settings.endpoint, os.environ))
    queue = SpanQueue(exporter.export)
    resource = resource_of(service, name)
    try:
        yield OtelTracing(queue, resource, settings.sample_ratio, stream)
    finally:
        exporter.stop(STOP_SECONDS)
        queue.close(STOP_SECONDS)


def resource_of(service: str, name: str) -> Resource:
    """Return what describes this process; variables of OpenTelemetry come first."""
    own = {
        names.SERVICE_NAME: f"{names.MODSTREAM}-{service}",
        names.SERVICE_NAMESPACE: names.MODSTREAM,
        names.SERVICE_INSTANCE_ID: name,
        names.SERVICE_VERSION: __version__,
    }
    return Resource.create({**own, **OTELResourceDetector().detect().attributes})
