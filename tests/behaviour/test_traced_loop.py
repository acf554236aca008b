"""A traced loop links each request once, on the in-memory broker and on Kafka."""

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from modstream.broker.errors import TransactionAborted
from modstream.broker.wire.records import ProducerRecord
from modstream.telemetry.traces.provider import OtelTracing
from tests.behaviour.test_loop import run_member, upper_case

COUNT = 60


class FailsTwice:
    """A delivery whose first two transactions are aborted."""

    def __init__(self, deliver):
        self.deliver, self.left = deliver, 2

    def __call__(self, records, batch):
        if self.left:
            self.left -= 1
            raise TransactionAborted("a test failure")
        self.deliver(records, batch)


def test_requests_of_a_repeated_batch_are_linked_once(broker):
    exporter, parts = InMemorySpanExporter(), {}
    tracing = OtelTracing(SimpleSpanProcessor(exporter), Resource({}), 1.0, "s")
    broker.send(
        ProducerRecord("in", b"%d" % n, b"v", (("traceparent", b"00-%032x-%016x-01" % (n, n)),))
        for n in range(1, COUNT + 1)
    )

    def wrap(deliver):
        inner = upper_case(broker.topic("out"))
        parts["handle"], traced = tracing.worker(inner, FailsTwice(deliver), "group")
        return traced

    def handle(batch):
        return parts["handle"](batch)

    run_member(broker, handle, until=lambda count: count == COUNT, wrap=wrap)

    spans = exporter.get_finished_spans()
    linked = [link.context.trace_id for span in spans for link in span.links]
    assert sorted(linked) == list(range(1, COUNT + 1))
    assert sum(span.attributes["messaging.batch.message_count"] for span in spans) == COUNT
    assert spans[0].attributes["modstream.failed_deliveries"] == 2
