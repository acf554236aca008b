"""A real OpenTelemetry Collector takes the spans; `make telemetry` builds it."""

import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest
import structlog

from modstream.broker.loop.ports import HandlerResult
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.processors.join.ports import JoinedBatch
from modstream.producers.gateway.call_tracing import CallResult, CallRoute
from modstream.settings import Settings
from modstream.stack.embedded.ports import free_port
from modstream.telemetry.traces.open import open_tracing
from modstream.trace_settings import TracingSettings
from tests.modstream.telemetry.received_spans import receiver

pytestmark = pytest.mark.tools

PROGRAM = Path(sys.executable).with_name("otlp-collector")
LINKS = 10_000
START_SECONDS = 30
CONFIG = """
receivers:
  otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}
exporters:
  otlp_http: {{endpoint: "{url}", sending_queue: {{enabled: false}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [otlp_http]}}}}
"""


@contextmanager
def collector(folder, port, url):
    """Run a collector on a port that passes all spans on to a URL."""
    if not PROGRAM.exists():
        pytest.skip("the collector is not built: make telemetry")
    (folder / "collector.yaml").write_text(CONFIG.format(port=port, url=url))
    command = [PROGRAM, "--config", "file:collector.yaml"]
    with (
        (folder / "collector.log").open("wb") as log,
        subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as process,
    ):
        try:
            deadline = monotonic() + START_SECONDS
            while not is_open(port):
                assert process.poll() is None, (folder / "collector.log").read_text()
                assert monotonic() < deadline
                sleep(0.1)
            yield
        finally:
            process.terminate()


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Output:
    """A delivery that always succeeds."""

    def __call__(self, records, batch):
        pass

    def close(self):
        pass


def request(number, topic="flights.requests"):
    value = f"00-{number + 1:032x}-{number + 1:016x}-01".encode()
    return Record(topic, 0, number, b"k", b"v", (("traceparent", value),))


def work(tracing):
    """Trace a call with its record, and batches of a worker, a joiner and a learner."""
    route = CallRoute("http", "/v1/streams/{stream}/predict")
    with tracing.calls().begin(route, "flights", ()) as call:
        record = ProducerRecord("flights.requests", b"k", b"v", call.headers)
        sent, _ = tracing.sends()(record, None)
        call.note(CallResult("prediction", "r", "delay", "3"))
    batch = [request(number) for number in range(LINKS)]
    handle, deliver = tracing.worker(lambda _: HandlerResult(()), Output(), "flights.worker")
    deliver(handle(batch).records, batch)
    tracing.joiner("flights.joiner")(JoinedBatch([request(1, "flights.labels")], [], 1))
    tracing.learner(len, lambda _: True, "flights.learner", "m")([request(2, "flights.feedback")])
    return sent


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_collector_passes_all_spans_on(tmp_path, monkeypatch, compression):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
    port = free_port()
    with receiver() as found, collector(tmp_path, port, found.url):
        chosen = TracingSettings(True, 1.0, f"http://127.0.0.1:{port}")
        settings = Settings(home=tmp_path, stream="flights", tracing=chosen)
        with open_tracing(settings, "worker", "0") as tracing:
            work(tracing)
        spans = {
            span.name: span for span in found.wait_for(lambda spans: len(spans) == 4, seconds=30)
        }

    batch = spans["process flights.requests"]
    assert batch.links == [(f"{n + 1:032x}", f"{n + 1:016x}") for n in range(LINKS)]
    assert batch.attributes["messaging.batch.message_count"] == LINKS
    assert batch.service == "modstream-worker"
    label, feedback = spans["process flights.labels"], spans["process flights.feedback"]
    assert (label.trace_id, label.parent_id) == (f"{2:032x}", f"{2:016x}")
    assert feedback.links == [(f"{3:032x}", f"{3:016x}")]
    assert spans["POST /v1/streams/{stream}/predict"].attributes["modstream.request.id"] == "r"


def test_spans_are_sent_again_once_the_collector_is_back(tmp_path, monkeypatch):
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setattr("modstream.telemetry.traces.exporter.PAUSES", (0.1,))
    port = free_port()
    chosen = TracingSettings(True, 1.0, f"http://127.0.0.1:{port}")
    settings = Settings(home=tmp_path, stream="flights", tracing=chosen)
    with (
        receiver() as found,
        structlog.testing.capture_logs() as logs,
        open_tracing(settings, "worker", "0") as tracing,
    ):
        for count in (1, 2):
            with collector(tmp_path, port, found.url):
                tracing.tracer.start_span("up").end()
                found.wait_for(lambda spans, n=count: len(spans) == n, seconds=30)
            before = len(logs)
            for _ in range(3):
                tracing.tracer.start_span("down").end()
                sleep(0.3)
            assert [one["event"] for one in logs[before:]] == ["traces are not sent"]

    assert [one["event"] for one in logs[1:]] == [
        *("traces are not sent", "traces are sent again", "traces are not sent")
    ]
