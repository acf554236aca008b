"""A receiver of OTLP over HTTP, and the graph that the received spans make."""

import gzip
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class ReceivedSpan(NamedTuple):
    """A span as a collector gets it; ids are hexadecimal digits."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    attributes: dict[str, object]
    links: list[tuple[str, str]]


class Receiver:
    """Collects spans; `status` is what it answers."""

    def __init__(self):
        self.spans: list[ReceivedSpan] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        self.url = ""
        self._changed = Condition()

    def take(self, body, headers):
        request = ExportTraceServiceRequest.FromString(body)
        with self._changed:
            self.headers.append(headers)
            if self.status == 200:
                self.spans += read_request(request)
            self._changed.notify_all()

    def wait_for(self, predicate, seconds=60):
        """Wait until the spans fulfil a predicate; return them."""
        with self._changed:
            assert self._changed.wait_for(lambda: predicate(self.spans), seconds), self.spans
            return list(self.spans)


def read_request(request) -> Iterator[ReceivedSpan]:
    """Yield the spans of a request."""
    for resource in request.resource_spans:
        described = attributes_of(resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield ReceivedSpan(
                    described.get("service.name", ""),
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.kind,
                    attributes_of(span.attributes),
                    [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
                )


def attributes_of(pairs):
    """Return attributes by name."""
    return {pair.key: value_of(pair.value) for pair in pairs}


def value_of(value):
    """Return the value of an attribute."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(one) for one in value.array_value.values]
    return getattr(value, kind)


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Yield a receiver that listens."""
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            found.take(body, {"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
            self.send_response(found.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def connected_services(spans, trace_id) -> set[str]:
    """Return the services whose spans are connected with a trace, by traces, parents and links."""
    edges = defaultdict(set)
    services = defaultdict(set)
    for span in spans:
        services[span.trace_id].add(span.service)
        for linked, _ in span.links:
            edges[span.trace_id].add(linked)
            edges[linked].add(span.trace_id)
    # A batch is linked to all its requests: it must not connect them with each other's batches.
    direct = {trace_id, *edges[trace_id]}
    return set().union(*(services[one] for one in direct))
