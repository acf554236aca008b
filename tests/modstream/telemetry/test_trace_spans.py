"""The spans of calls, of sent records and of processed batches, without Kafka."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from modstream.broker.client.publisher import DeliveryReport
from modstream.broker.errors import DeliveryFailed, TransactionAborted
from modstream.broker.loop.ports import HandlerResult, ModelCost
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.processors.join.ports import JoinedBatch
from modstream.producers.gateway.call_tracing import CallResult, CallRoute
from modstream.producers.gateway.errors import NotFound, NotServing
from modstream.telemetry.traces.encoding import serialize
from modstream.telemetry.traces.provider import OtelTracing
from modstream.telemetry.traces.record_contexts import RecordContexts

ROUTE = CallRoute("http", "/v1/streams/{stream}/predict")
RESOURCE = Resource({"service.name": "modstream-test"})


class Spans:
    """A tracing whose spans stay in memory."""

    def __init__(self, ratio=1.0):
        self.exporter = InMemorySpanExporter()
        processor = SimpleSpanProcessor(self.exporter)
        self.tracing = OtelTracing(processor, RESOURCE, ratio, "flights")

    @property
    def ended(self):
        return self.exporter.get_finished_spans()


@pytest.fixture
def spans():
    return Spans()


def parent(number=1, *, sampled=True):
    return f"00-{number:032x}-{number + 1000:016x}-0{int(sampled)}".encode()


def trace_of(headers):
    return dict(headers)["traceparent"]


def ids_of(value):
    return int(value[3:35], 16), int(value[36:52], 16)


def links_of(span):
    return [(link.context.trace_id, link.context.span_id) for link in span.links]


def request(offset, value=None, topic="flights.requests", partition=0):
    headers = (("reply-to", b"me"),) + ((("traceparent", value),) if value is not None else ())
    return Record(topic, partition, offset, b"k", b"v", headers)


def cost(model="delay", version=3, rows=1):
    return ModelCost(model, rows, 0.001, version)


class Delivery:
    """A delivery that fails with some errors first."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.is_closed = False

    def __call__(self, records, batch):
        del records, batch
        if self.errors:
            raise self.errors.pop(0)

    def close(self):
        self.is_closed = True


def traced_worker(spans, *errors, costs=None):
    delivery = Delivery(*errors)
    result = HandlerResult([], costs or [cost()])
    return spans.tracing.worker(lambda _: result, delivery, "flights.worker")


def run(worker, batch):
    handle, deliver = worker
    deliver(handle(batch).records, batch)


# Calls.


def test_call_continues_the_callers_trace(spans):
    trace = (("traceparent", parent(7)), ("tracestate", b"vendor=1"))
    with spans.tracing.calls().begin(ROUTE, "flights", trace) as call:
        call.note(CallResult("prediction", "r1", "delay", "3"))

    (span,) = spans.ended
    assert (span.name, span.kind) == ("POST /v1/streams/{stream}/predict", SpanKind.SERVER)
    assert (span.context.trace_id, span.parent.span_id) == ids_of(parent(7))
    assert ids_of(trace_of(call.headers)) == (7, span.context.span_id)
    assert dict(call.headers)["tracestate"] == b"vendor=1"
    assert span.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/streams/{stream}/predict",
        "modstream.stream": "flights",
        "modstream.outcome": "prediction",
        "modstream.request.id": "r1",
        "modstream.model.name": "delay",
        "modstream.model.version": 3,
    }


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_call_without_a_trace_begins_one_according_to_the_ratio(ratio):
    spans = Spans(ratio)

    with spans.tracing.calls().begin(ROUTE, "flights", ()) as call:
        call.note(CallResult("ticket"))

    assert len(spans.ended) == len(call.headers) == ratio


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_callers_decision_not_to_sample_is_kept(ratio):
    spans = Spans(ratio)
    trace = (("traceparent", parent(sampled=False)),)

    with spans.tracing.calls().begin(ROUTE, "flights", trace) as call:
        assert call.headers == trace

    assert spans.ended == ()


def test_invalid_context_is_replaced_if_a_trace_begins_and_passed_through_otherwise():
    trace = (("traceparent", b"nonsense"), ("tracestate", b"vendor=1"))
    always, never = Spans(1.0), Spans(0.0)

    with always.tracing.calls().begin(ROUTE, "flights", trace) as begun:
        pass
    with never.tracing.calls().begin(ROUTE, "flights", trace) as kept:
        pass

    assert ids_of(trace_of(begun.headers))[1] == always.ended[0].context.span_id
    assert "tracestate" not in dict(begun.headers)
    assert kept.headers == trace


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [(NotServing("no worker"), NotServing.code, StatusCode.ERROR),
     (NotFound("no stream"), "not_found", StatusCode.UNSET),
     (ZeroDivisionError(), "ZeroDivisionError", StatusCode.ERROR)],
)  # fmt: skip
def test_failed_call_has_the_code_of_its_error(spans, error, code, status):
    route = CallRoute("grpc", "inference.GRPCInferenceService/ModelInfer")
    with (
        pytest.raises(type(error)),
        spans.tracing.calls().begin(route, "flights", ()),
    ):
        raise error

    (span,) = spans.ended
    assert span.name == "inference.GRPCInferenceService/ModelInfer"
    assert span.attributes["rpc.system.name"] == "grpc"
    assert span.attributes["error.type"] == span.attributes["modstream.outcome"] == code
    assert span.status.status_code is status


# Sent records.


def test_sent_record_carries_the_context_of_its_span(spans):
    reports = []
    record = ProducerRecord("flights.requests", b"k", b"v", (("traceparent", parent(5)),))

    sent, end = spans.tracing.sends()(record, reports.append)
    assert spans.ended == ()
    report = DeliveryReport(sent, Record("flights.requests", 2, 17, b"k", b"v"), None)
    end(report)

    (span,) = spans.ended
    assert (span.name, span.kind) == ("send flights.requests", SpanKind.PRODUCER)
    assert ids_of(trace_of(sent.headers)) == (5, span.context.span_id)
    assert span.parent.span_id == ids_of(parent(5))[1]
    assert span.attributes["messaging.destination.partition.id"] == "2"
    assert span.attributes["messaging.kafka.offset"] == 17
    assert reports == [report]


def test_record_that_is_not_sent_has_an_error(spans):
    record = ProducerRecord("flights.requests", b"k", b"v")
    sent, end = spans.tracing.sends(begins=True)(record, None)
    end(DeliveryReport(sent, None, DeliveryFailed("flights.requests", "timed out")))

    (span,) = spans.ended
    assert span.attributes["error.type"] == "DeliveryFailed"
    assert span.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize("value", [None, b"nonsense", parent(sampled=False)])
def test_record_of_a_request_that_is_not_sampled_stays_as_it_is(spans, value):
    headers = () if value is None else (("traceparent", value),)
    record = ProducerRecord("flights.requests", b"k", b"v", headers)

    assert spans.tracing.sends()(record, None) == (record, None)
    assert spans.ended == ()


def test_client_continues_the_current_span_of_its_program(spans):
    with spans.tracing.tracer.start_as_current_span("program") as program:
        sent, _ = spans.tracing.sends(begins=True)(ProducerRecord("t", b"k", b"v"), None)

    assert ids_of(trace_of(sent.headers))[0] == program.get_span_context().trace_id


# Batches of workers.


def test_batch_has_one_span_with_a_link_for_each_sampled_request(spans):
    values = [parent(1), None, parent(2), parent(3, sampled=False), b"nonsense", parent(4)]
    batch = [request(offset, value, partition=offset % 2) for offset, value in enumerate(values)]

    run(
        traced_worker(
            spans, costs=[cost(), cost("risk", 12), cost(), cost("x", None), cost("y", 1, 0)]
        ),
        batch,
    )

    (span,) = spans.ended
    assert (span.name, span.kind) == ("process flights.requests", SpanKind.CONSUMER)
    assert links_of(span) == [ids_of(parent(number)) for number in (1, 2, 4)]
    assert span.parent is None
    assert span.context.trace_id not in {1, 2, 4}
    assert span.start_time <= span.end_time
    assert span.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "flights.requests",
        "messaging.consumer.group.name": "flights.worker",
        "messaging.batch.message_count": 6,
        "modstream.stream": "flights",
        "modstream.models": ("delay/3", "risk/12"),
    }


def test_the_only_sampled_request_is_the_parent_too(spans):
    run(traced_worker(spans), [request(0, parent(9)), request(1)])

    (span,) = spans.ended
    assert (span.parent.trace_id, span.parent.span_id) == ids_of(parent(9))
    assert span.parent.is_remote
    assert (span.context.trace_id, links_of(span)) == (9, [ids_of(parent(9))])
    assert span.attributes["modstream.model.name"] == "delay"
    assert span.attributes["modstream.model.version"] == 3
    assert span.attributes["messaging.destination.partition.id"] == "0"


@pytest.mark.parametrize(("number", "is_child"), [(9, True), (8, False)])
def test_requests_of_one_trace_are_its_parent_too(spans, number, is_child):
    other = b"00-%032x-%016x-01" % (number, 77)
    run(traced_worker(spans), [request(0, parent(9)), request(1, other), request(2, parent(9))])

    (span,) = spans.ended
    assert len(links_of(span)) == 3
    assert (span.parent is not None) is (span.context.trace_id == 9) is is_child


def test_batch_without_a_sampled_request_has_no_span(spans):
    run(traced_worker(spans), [request(0), request(1, parent(sampled=False)), request(2, b"x")])

    assert spans.ended == ()


@pytest.mark.parametrize("failure", [TransactionAborted("t"), DeliveryFailed("t", "timed out")])
def test_repeated_batch_has_one_span(spans, failure):
    worker = traced_worker(spans, failure, failure)
    batch = [request(0, parent(1)), request(1, parent(2))]
    for _ in range(2):
        with pytest.raises(type(failure)):
            run(worker, list(batch))
    assert spans.ended == ()

    run(worker, [*batch, request(2, parent(3))])
    run(worker, [request(3, parent(4))])

    repeated, next_one = spans.ended
    assert len(links_of(repeated)) == 3
    assert repeated.attributes["modstream.failed_deliveries"] == 2
    assert "modstream.failed_deliveries" not in next_one.attributes


def test_batches_in_flight_keep_their_own_start(spans):
    handle, deliver = traced_worker(spans)
    first, second = [request(0, parent(1))], [request(1, parent(2))]
    answers = handle(first).records
    handle(second)
    deliver(answers, first)
    deliver(answers, second)

    one, two = spans.ended
    assert one.start_time <= two.start_time
    assert two.start_time <= one.end_time


def test_an_error_of_tracing_does_not_fail_the_delivery(spans, monkeypatch):
    monkeypatch.setattr(RecordContexts, "of", lambda _: 1 / 0)

    run(traced_worker(spans), [request(0, parent(1))])

    assert spans.ended == ()


def test_connections_are_closed(spans):
    delivery = Delivery()
    _, deliver = spans.tracing.worker(lambda _: HandlerResult(()), delivery, "g")

    deliver.close()

    assert delivery.is_closed


# Joiners and learners.


def test_joined_batch_is_linked_to_what_was_read_and_what_was_joined(spans):
    joined = ProducerRecord(
        "flights.feedback",
        b"k",
        b"v",
        (("traceparent", parent(1)), ("modstream-label-traceparent", parent(2))),
    )
    label = request(0, parent(2), topic="flights.labels")
    on_joined = spans.tracing.joiner("flights.joiner")
    on_joined(JoinedBatch([label, request(1, topic="flights.labels")], [joined], 5))
    on_joined(JoinedBatch([request(2, topic="flights.labels")], [joined._replace(headers=())], 6))

    (span,) = spans.ended
    assert span.name == "process flights.labels"
    assert links_of(span) == [ids_of(parent(2)), ids_of(parent(1))]
    assert span.start_time == 5


def test_learned_batch_is_linked_to_requests_and_labels_that_are_new(spans):
    learned = []

    def feedback(offset, request_parent, label_parent):
        headers = (("traceparent", request_parent), ("modstream-label-traceparent", label_parent))
        return Record("flights.feedback", 0, offset, b"k", b"v", headers)

    learn = spans.tracing.learner(
        learned.append, lambda record: record.offset > 0, "flights.learner", "online"
    )
    batch = [feedback(0, parent(1), parent(2)), feedback(1, parent(3), parent(4))]
    for records in (batch, [], batch[:1]):
        learn(records)

    (span,) = spans.ended
    assert learned == [batch, [], batch[:1]]
    assert links_of(span) == [ids_of(parent(3)), ids_of(parent(4))]
    assert span.attributes["modstream.model.name"] == "online"
    assert span.attributes["messaging.batch.message_count"] == 2


# Encoding.


@given(
    st.lists(
        st.tuples(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1)), min_size=1, max_size=80
    )
)
def test_contexts_survive_their_encoding(ids):
    values = [f"00-{trace:032x}-{span:016x}-01".encode() for trace, span in ids]

    contexts = RecordContexts.of(values)

    assert len(contexts) == len(ids)
    assert [(one.trace_id, one.span_id) for one in contexts.contexts()] == ids


@pytest.mark.parametrize("count", [1, 10_000])
def test_batch_is_encoded_as_by_the_sdk(spans, count):
    run(traced_worker(spans), [request(n, parent(n + 1), partition=n % 3) for n in range(count)])
    with spans.tracing.calls().begin(ROUTE, "flights", ()):
        pass

    expected = encode_spans(spans.ended)
    found = ExportTraceServiceRequest.FromString(serialize(spans.ended))

    by_id = {span.span_id: span for span in spans_of(expected)}
    assert len(by_id) == len(list(spans_of(found))) == 2
    for span in spans_of(found):
        for link in span.links:
            # The SDK leaves out that the linked span is sampled.
            link.flags &= ~1
        span.status.SetInParent()  # The SDK writes an empty one.
        assert span == by_id[span.span_id]
    assert [one.resource for one in found.resource_spans] == [
        expected.resource_spans[0].resource
    ] * 2


def spans_of(message):
    return (s for r in message.resource_spans for scope in r.scope_spans for s in scope.spans)
