"""The export of spans: to a collector that answers, refuses, hangs or is away."""

import os
import socket
import subprocess
import sys
from threading import Event, Thread
from time import monotonic

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider

from modstream.errors import InvalidSettings, TracingUnavailable
from modstream.settings import Settings
from modstream.stack.embedded.ports import free_port
from modstream.telemetry.traces import span_queue
from modstream.telemetry.traces.collector import Collector
from modstream.telemetry.traces.exporter import PAUSES, SpanExporter
from modstream.telemetry.traces.open import open_tracing
from modstream.telemetry.traces.ports import NO_TRACING
from modstream.telemetry.traces.provider import STOP_SECONDS
from modstream.telemetry.traces.span_queue import SPAN_BYTES, SpanQueue
from modstream.trace_settings import TracingSettings
from tests.modstream.telemetry.received_spans import receiver


@pytest.fixture
def collector():
    with receiver() as found:
        yield found


@pytest.fixture
def clean_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    return monkeypatch


def settings(tmp_path, **tracing):
    return Settings(home=tmp_path, stream="flights", tracing=TracingSettings(**tracing))


def new_span(name="s"):
    return TracerProvider().get_tracer("t").start_span(name)


def end_spans(tracing, count):
    for number in range(count):
        tracing.tracer.start_span(f"span {number}").end()


# The settings and the environment.


@pytest.mark.slow
def test_traces_are_off_by_default_and_import_no_library(tmp_path):
    # redis-py imports the metrics of OpenTelemetry by itself, if they are installed.
    code = (
        "import sys; from modstream.settings import load_settings\n"
        "from modstream.telemetry.traces.open import open_tracing\n"
        "from modstream.services import worker\n"
        "with open_tracing(load_settings(), 'worker') as tracing: print(type(tracing).__name__)\n"
        "print('opentelemetry.sdk.trace' in sys.modules)\n"
        "print('modstream.telemetry.traces.provider' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["NoTracing", "False", "False"]


def test_tracing_that_is_off_changes_nothing(tmp_path):
    with open_tracing(settings(tmp_path), "worker") as tracing:
        assert tracing is NO_TRACING
        assert tracing.worker(len, print, "g") == (len, print)
        assert tracing.learner(len, bool, "g", "m") is len
        assert tracing.sends(begins=True)("record", None) == ("record", None)
        with tracing.calls().begin(None, "flights", (("traceparent", b"x"),)) as call:
            call.note(None)
        assert call.headers == (("traceparent", b"x"),)
        assert tracing.joiner("g")(None) is None


def test_missing_libraries_are_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "modstream.telemetry.traces.provider", None)

    with (
        pytest.raises(TracingUnavailable, match=r"pip install 'modstream\[tracing\]'"),
        open_tracing(settings(tmp_path, enabled=True), "worker"),
    ):
        pass


@pytest.mark.parametrize("values", [{"sample_ratio": 1.5}, {"sample_ratio": -1}, {"endpoint": "x"}])
def test_invalid_settings_are_refused(values):
    with pytest.raises(ValueError, match=r"share|URL"):
        TracingSettings(**values)


@pytest.mark.parametrize(
    ("endpoint", "environment", "url"),
    [
        ("", {}, "http://localhost:4318/v1/traces"),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://a/x/"}, "https://a/x/v1/traces"),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":
              "http://b/in"}, "http://b/in"),
        ("http://c", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b"}, "http://c/v1/traces"),
    ],
)  # fmt: skip
def test_address_is_that_of_the_settings_or_the_environment(endpoint, environment, url):
    assert Collector.of(endpoint, environment).url == url


def test_environment_says_how_to_send():
    found = Collector.of("", {
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=all",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "api-key=s%20cret,x=1",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2.5",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    })  # fmt: skip
    assert found.headers == {"api-key": "s cret", "x": "1"}
    assert (found.seconds, found.is_compressed) == (2.5, True)


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "file:///etc/passwd"},
        {"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"},
        {"OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere/ca.pem"},
    ],
)
def test_invalid_environment_is_refused(environment):
    with pytest.raises(InvalidSettings, match="OTEL_EXPORTER_OTLP"):
        Collector.of("", environment)


def test_process_describes_itself_and_sends_its_last_spans(tmp_path, collector, clean_environment):
    clean_environment.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    clean_environment.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret")
    clean_environment.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    chosen = settings(tmp_path, enabled=True, sample_ratio=1.0, endpoint=collector.url)

    with open_tracing(chosen, "worker", "0") as tracing:
        end_spans(tracing, 3)

    assert [span.name for span in collector.spans] == ["span 0", "span 1", "span 2"]
    assert {span.service for span in collector.spans} == {"modstream-worker"}
    (headers,) = collector.headers
    assert headers["path"] == "/v1/traces"
    assert headers["content-type"] == "application/x-protobuf"
    assert headers["api-key"] == "secret"


def test_ratio_of_begun_traces_is_that_of_the_settings(tmp_path, collector, clean_environment):
    del clean_environment
    chosen = settings(tmp_path, enabled=True, sample_ratio=0.25, endpoint=collector.url)

    with open_tracing(chosen, "gateway") as tracing:
        end_spans(tracing, 2000)

    assert 350 < len(collector.spans) < 650


# A collector that does not answer.


def exporter_to(port, seconds=10.0):
    return SpanExporter(Collector(f"http://127.0.0.1:{port}/v1/traces", seconds=seconds))


def test_collector_that_is_away_costs_one_warning_and_no_time(monkeypatch):
    monkeypatch.setattr("modstream.telemetry.traces.exporter.PAUSES", (0.0,))
    exporter = exporter_to(free_port())
    with structlog.testing.capture_logs() as logs:
        queue = SpanQueue(exporter.export, {"OTEL_BSP_SCHEDULE_DELAY": "1"})
        started = monotonic()
        for _ in range(5):
            queue.on_end(new_span())
            assert queue.force_flush()
        assert queue.close(STOP_SECONDS)

    assert monotonic() - started < STOP_SECONDS
    assert [(one["log_level"], one["event"]) for one in logs] == [
        ("warning", "traces are not sent")
    ]


def test_return_of_the_collector_is_logged(collector, monkeypatch):
    monkeypatch.setattr("modstream.telemetry.traces.exporter.PAUSES", (0.0,))
    exporter = SpanExporter(Collector(collector.url))
    with structlog.testing.capture_logs() as logs:
        for status in (503, 400, 200, 200, 503):
            collector.status = status
            exporter.export([new_span(), new_span()])

    assert [one["event"] for one in logs] == [
        *("traces are not sent", "traces are sent again", "traces are not sent")
    ]
    assert logs[1]["lost_spans"] == 4
    # A refusal that is not transient is not tried again.
    assert len(collector.headers) == 2 + 1 + 1 + 1 + 2


def test_hanging_collector_does_not_keep_the_process():
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        exporter = exporter_to(hanging.getsockname()[1])
        queue = SpanQueue(exporter.export, {"OTEL_BSP_SCHEDULE_DELAY": "1"})
        queue.on_end(new_span())
        assert not queue.force_flush(timeout_millis=50)
        started = monotonic()
        exporter.stop(0.3)
        is_done = queue.close(0.3)

    assert not is_done
    assert monotonic() - started < 2


def test_wait_for_a_further_attempt_ends_with_the_process():
    exporter = exporter_to(free_port())
    thread = Thread(target=exporter.export, args=([new_span()],))
    started = monotonic()
    thread.start()
    exporter.stop(STOP_SECONDS)
    thread.join()

    assert monotonic() - started < sum(PAUSES)


def test_nothing_is_attempted_after_the_end(collector):
    exporter = SpanExporter(Collector(collector.url))
    exporter.stop(0)

    with structlog.testing.capture_logs() as logs:
        exporter.export([new_span()])

    assert collector.headers == []
    assert [one["event"] for one in logs] == ["traces are not sent"]


def test_span_that_cannot_be_encoded_does_not_end_the_thread(collector):
    exporter = SpanExporter(Collector(collector.url))
    with structlog.testing.capture_logs():
        exporter.export([None])

    exporter.export([new_span()])

    assert len(collector.spans) == 1


# The queue.


def test_full_queue_drops_spans_and_never_waits():
    is_exporting, may_export, exported = Event(), Event(), []

    def export(spans):
        is_exporting.set()
        may_export.wait()
        exported.extend(spans)

    bounds = {"OTEL_BSP_MAX_QUEUE_SIZE": "10", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1"}
    queue = SpanQueue(export, bounds)
    queue.on_end(new_span())
    assert is_exporting.wait(10)
    for _ in range(15):
        queue.on_end(new_span())
    assert queue.dropped == 5

    with structlog.testing.capture_logs() as logs:
        may_export.set()
        assert queue.force_flush()
        assert queue.close(STOP_SECONDS)
    queue.on_end(new_span())
    assert (len(exported), queue.dropped) == (11, 6)
    assert [(one["event"], one["count"]) for one in logs] == [("spans dropped", 5)]


def test_queue_is_bounded_in_bytes(monkeypatch):
    monkeypatch.setattr(span_queue, "MAX_QUEUE_BYTES", 3 * SPAN_BYTES)
    queue = SpanQueue(lambda _: None, {"OTEL_BSP_SCHEDULE_DELAY": "60000"})
    for _ in range(5):
        queue.on_end(new_span())

    assert queue.dropped == 2
    assert queue.close(STOP_SECONDS)


def test_settings_are_environment_variables(tmp_path, monkeypatch):
    for name, value in (("ENABLED", "1"), ("SAMPLE_RATIO", "0.5"), ("ENDPOINT", "http://c:4318")):
        monkeypatch.setenv(f"MODSTREAM_TRACING__{name}", value)
    monkeypatch.chdir(tmp_path)

    found = Settings().tracing

    assert found == TracingSettings(enabled=True, sample_ratio=0.5, endpoint="http://c:4318")
