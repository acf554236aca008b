"""All kinds of processes at work serve the series that dashboards select, and send their traces."""

import shutil
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from ssl import create_default_context
from threading import Event
from time import monotonic, sleep

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from river.linear_model import LogisticRegression

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_offset_ranges
from modstream.broker.wire.records import ProducerRecord
from modstream.features.definitions import open_definitions
from modstream.metrics_settings import MetricsSettings
from modstream.models.runtimes.river.artifact import pack
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.processors.conformal.settings import ServedSetSettings
from modstream.services.aggregator import run_aggregator
from modstream.services.calibrator import run_calibrator
from modstream.services.learner import run_learner
from modstream.services.materializer import run_materializer
from modstream.services.retrainer import run_retrainer
from modstream.services.worker import run_worker
from modstream.stack.embedded.ports import free_port
from modstream.telemetry.discovery import read_addresses
from modstream.telemetry.open import open_metrics
from modstream.telemetry.traces.open import open_tracing
from modstream.trace_settings import TracingSettings
from tests.journeys.conftest import TIMEOUT_SECONDS, open_system, with_route
from tests.modstream.telemetry.queries import DEPLOY, dashboard_queries, rule_queries, selectors
from tests.modstream.telemetry.received_spans import connected_services, receiver
from tests.producers.gateway.certificates import Authority

pytestmark = [pytest.mark.real, pytest.mark.journey]

SERVICES = (
    *("worker", "joiner", "learner", "retrainer"),
    *("calibrator", "materializer", "aggregator", "gateway"),
)
ROWS = [{"x0": 0.5, "x1": number % 2 - 0.5} for number in range(40)]
OFTEN = {
    "MODSTREAM_METRICS__PORT": "0",
    "MODSTREAM_TRACING__ENABLED": "1",
    "MODSTREAM_TRACING__SAMPLE_RATIO": "0",
    "OTEL_BSP_SCHEDULE_DELAY": "200",
    "MODSTREAM_STALL_TIMEOUT": "8",
    "MODSTREAM_JOINER__STALL_TIMEOUT": "8",
}
"""Metrics and traces on, and health reports often. Only calls that come with a trace are traced."""


class Processes:
    """A system of all kinds of processes, and what they serve."""

    def __init__(self, system, url, ssl, traces):
        self.system, self.url, self.ssl, self.traces = system, url, ssl, traces
        self._scraper = httpx.Client(verify=ssl, timeout=10)

    def samples(self, prefix=""):
        """Return the name, labels and value of each series of all processes, or of some names."""
        for instance, address in read_addresses(self.system.folder).items():
            text = self._scraper.get(f"http://{address}/metrics").text
            lines = [line for line in text.splitlines() if line.startswith(prefix)]
            for family in text_string_to_metric_families("\n".join([*lines, ""])):
                for name, labels, value, *_ in family.samples:
                    yield name, {**labels, "instance": instance}, value

    def value(self, name, **labels):
        """Return the sum of the series with some labels, None if there is none."""
        found = [
            value
            for one, has, value in self.samples(name)
            if one == name and labels.items() <= has.items()
        ]
        return sum(found) if found else None

    def wait_for(self, name, minimum=1, **labels):
        """Wait until the sum of some series has reached a value."""
        deadline = monotonic() + TIMEOUT_SECONDS
        while (self.value(name, **labels) or 0) < minimum:
            assert monotonic() < deadline, f"{name} {labels}"
            sleep(0.2)


@pytest.fixture(scope="module")
def processes(bootstrap, redis_url, tmp_path_factory):
    folder = tmp_path_factory.mktemp("metrics")
    with (
        receiver() as traces,
        pytest.MonkeyPatch.context() as patch,
        open_system(bootstrap, redis_url, f"t{uuid.uuid4().hex[:8]}.", folder) as opened,
    ):
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", OFTEN["OTEL_BSP_SCHEDULE_DELAY"])
        system = with_route(opened, "bugs", stream="bugs")
        system.create_topics()
        with system.registry() as registry:
            registry.publish(SPEC, pack(LogisticRegression()))
        authority, port = Authority(), str(free_port())
        tls = dict(zip(("CERTIFICATE", "KEY"), authority.issue(), strict=True))
        for name, content in tls.items():
            (folder / name).write_bytes(content)
        variables = OFTEN | {f"MODSTREAM_GATEWAY__TLS_{name}": str(folder / name) for name in tls}
        variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = traces.url
        ports = ("--port", port, "--grpc-port", "-1")
        system.start("gateway", "gateway", *ports, environment=variables)
        system.start("joiner", "joiner", environment=variables)
        ssl = create_default_context(cadata=authority.certificate.decode())
        found = Processes(system, f"https://127.0.0.1:{port}", ssl, traces)
        tracing = TracingSettings(enabled=True, sample_ratio=0, endpoint=traces.url)
        settings = system.settings.model_copy(
            update={
                "metrics": MetricsSettings(port=0),
                "tracing": tracing,
                "stall_timeout": 8.0,
                "conformal": ServedSetSettings({"bugs": 0.9}),
            }
        )
        with open_definitions(settings) as table:
            table.write(FEATURES)
        with in_threads(settings):
            work(found)
            yield found


@contextmanager
def in_threads(settings):
    """Run the services that can share a process, which saves the time of its imports."""
    stop = Event()

    def run(service, part, call):
        with (
            open_metrics(settings, service, part) as metrics,
            open_tracing(settings, service, part) as tracing,
        ):
            call(metrics, tracing)

    calls = {
        ("worker", "0"): lambda metrics, tracing: run_worker(
            settings, stop, metrics=metrics, tracing=tracing
        ),
        ("learner", "bugs"): lambda *both: run_learner(settings, "bugs", stop, *both),
        ("retrainer", "bugs"): lambda metrics, _: run_retrainer(settings, "bugs", stop, metrics),
        ("calibrator", ""): lambda metrics, _: run_calibrator(settings, stop, metrics),
        ("materializer", ""): lambda metrics, _: run_materializer(settings, stop, metrics),
        ("aggregator", ""): lambda metrics, _: run_aggregator(settings, stop, metrics),
    }
    with ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(run, *name, call) for name, call in calls.items()]
        try:
            yield
        finally:
            stop.set()
        for one in running:
            one.result()


SPEC = VersionSpec(
    name="bugs",
    runtime="river",
    task="binary",
    classes=(False, True),
    input_schema=InputSchema.of_floats(["x0", "x1"]),
)


FEATURES = b"""
[[features]]
name = "asked"
source = "requests"
window = "1h"
aggregate = "count"
"""

LABEL_TRACES = 1000
"""The number of the first trace of a label."""


def trace_parent(number):
    return f"00-{number + 1:032x}-{number + 1:016x}-01"


def trace_id(number):
    return f"{number + 1:032x}"


def work(processes):
    """Let every process do something: predict, label, learn, swap, refuse."""
    topics = processes.system.topics
    processes.wait_for("modstream_gateway_stream_served")
    processes.wait_for("modstream_healthy", len(SERVICES))
    with Publisher(processes.system.settings.connection, "noise") as publisher:
        publisher.send(ProducerRecord(topics.requests, b"k", b"no request"))
        publisher.flush()
    with httpx.Client(verify=processes.ssl, base_url=processes.url, timeout=60) as client:
        path, ids = "/v1/streams/bugs/predict", []
        for number, row in enumerate(ROWS):
            trace = {"traceparent": trace_parent(number)}
            answer = client.post(path, json={"features": row}, headers=trace)
            ids.append(answer.raise_for_status().json()["request_id"])
        answer = client.post(path, json={"features": row, "model": "unknown"})
        assert answer.status_code == 404
        for number, (request_id, row) in enumerate(zip(ids, ROWS, strict=True)):
            label = {"id": request_id, "label": row["x1"] > 0}
            # Labels with a trace of their own, with that of their request, and with none.
            which = (number + LABEL_TRACES, number, None)[number % 3]
            trace = {} if which is None else {"traceparent": trace_parent(which)}
            path = "/v1/streams/bugs/labels"
            client.post(path, json=label, headers=trace).raise_for_status()
    for name in (
        *("modstream_worker_model_swaps_total", "modstream_learner_window_labels"),
        *("modstream_retrainer_records_total", "modstream_joiner_label_delay_seconds_count"),
        *("modstream_joiner_label_coverage_ratio", "modstream_calibrator_labels_total"),
        *("modstream_aggregator_events_total", "modstream_aggregator_partials"),
    ):
        processes.wait_for(name, 0.5)


def test_every_query_selects_a_series(processes):
    samples = [
        (name, {**labels, "stream": "bugs", "job": "modstream"})
        for name, labels, _ in processes.samples()
    ]
    samples.append(("up", {"job": "modstream"}))  # That of Prometheus itself.
    missing = {
        (query.place, selector.name)
        for query in (*dashboard_queries(), *rule_queries())
        for selector in selectors(query.text)
        if not any(selector.selects(name, labels) for name, labels in samples)
    }
    assert missing == set()


def test_the_figures_are_those_of_the_work(processes):
    value = processes.value
    assert value("modstream_worker_requests_total") == len(ROWS) + 2
    assert value("modstream_worker_dead_letters_total") == 1
    assert value("modstream_gateway_calls_total", outcome="prediction") == len(ROWS)
    assert value("modstream_gateway_calls_total", outcome="worker_error") == 1
    assert value("modstream_gateway_answer_seconds_count", model="bugs") == len(ROWS)
    assert value("modstream_gateway_http_responses_total", status="202") == len(ROWS)
    processes.wait_for("modstream_joiner_rows_total", len(ROWS), outcome="joined")
    processes.wait_for("modstream_learner_feedback_outcomes_total", len(ROWS), outcome="learned")
    processes.wait_for("modstream_materializer_written_predictions_total", len(ROWS))
    assert value("modstream_healthy") == len(SERVICES)


def test_every_traced_request_is_connected_from_the_gateway_to_the_learner(processes):
    wanted = {f"modstream-{name}" for name in ("gateway", "worker", "joiner", "learner")}
    numbers = range(len(ROWS))
    spans = processes.traces.wait_for(
        lambda spans: all(
            connected_services(spans, trace_id(number)) == wanted for number in numbers
        ),
        TIMEOUT_SECONDS,
    )

    topics = processes.system.topics
    sent = {one.span_id: one for one in spans if one.name == f"send {topics.requests}"}
    processed = [one for one in spans if one.name == f"process {topics.requests}"]
    links = [link for one in processed for link in one.links]
    # Each traced request is linked once, to the span that has sent it.
    assert sorted(links) == sorted((one.trace_id, one.span_id) for one in sent.values())
    assert sorted(one.trace_id for one in sent.values()) == [trace_id(n) for n in numbers]
    calls = {one.span_id: one for one in spans if one.name.endswith("/predict")}
    assert {calls[one.parent_id].parent_id for one in sent.values()} == {
        f"{number + 1:016x}" for number in numbers
    }
    assert {one.attributes["modstream.model.name"] for one in calls.values()} == {"bugs"}
    answers = read_topic(processes, topics.predictions)
    carried = {one.header("traceparent") for one in answers} - {None}
    assert {value.decode() for value in carried} == {
        f"00-{one.trace_id}-{one.span_id}-01" for one in sent.values()
    }


def test_label_with_a_trace_of_its_own_is_connected_with_its_request(processes):
    numbers = range(0, len(ROWS), 3)

    def linked_together(spans, name):
        """Return the numbers of the requests that a span links together with their labels."""
        linked = [{trace for trace, _ in one.links} for one in spans if one.name == name]
        return [
            number
            for number in numbers
            if any({trace_id(number), trace_id(number + LABEL_TRACES)} <= one for one in linked)
        ]

    topics = processes.system.topics
    for topic in (topics.labels, topics.feedback):
        processes.traces.wait_for(
            lambda spans, name=f"process {topic}": linked_together(spans, name) == [*numbers],
            TIMEOUT_SECONDS,
        )


def read_topic(processes, topic):
    """Return all records of a topic."""
    connection = processes.system.settings.connection
    ends = Admin(connection).end_offsets([topic], committed=True)
    ranges = {one: (0, end) for one, end in ends.items() if end}
    return list(read_offset_ranges(connection, topic, ranges))


def test_health_shows_where_the_metrics_are(processes):
    shown = processes.system.run("health").stdout
    addresses = read_addresses(processes.system.folder)
    assert len(addresses) == len(SERVICES)
    assert [name for name in addresses if addresses[name] not in shown] == []


@pytest.mark.tools
def test_prometheus_answers_every_query(processes, tmp_path):
    with prometheus(processes.system.folder, tmp_path) as ask:
        deadline = monotonic() + TIMEOUT_SECONDS
        while len(ask("up == 1 and on (instance) increase(process_cpu_seconds_total[5m])")) < len(
            SERVICES
        ):
            assert monotonic() < deadline
            sleep(0.5)
        empty = {query.place: query.text for query in dashboard_queries() if not ask(query.text)}
        assert empty == {}
        for query in rule_queries():
            ask(query.text)


@contextmanager
def prometheus(home: Path, folder: Path):
    """Run Prometheus on a home directory; yield a function that returns a query's series."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed")
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "prometheus" / "alerts.yml")]
    config["scrape_configs"][0]["file_sd_configs"][0] = {"files": [f"{home}/metrics/*.json"]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    options = {
        "config.file": "prometheus.yml",
        "storage.tsdb.path": "data",
        "web.listen-address": address,
    }
    command = [program, *(f"--{name}={value}" for name, value in options.items())]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as process,
        httpx.Client(base_url=f"http://{address}/api/v1", timeout=30) as client,
    ):
        try:
            wait_for_server(client)
            yield lambda text: query(client, text)
        finally:
            process.terminate()


def wait_for_server(client):
    """Wait until a Prometheus answers queries."""
    deadline = monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            if client.get("query", params={"query": "1"}).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert monotonic() < deadline
        sleep(0.2)


def query(client, text):
    """Return the series that a query finds now."""
    answer = client.get("query", params={"query": text})
    assert answer.status_code == 200, (text, answer.text)
    return answer.json()["data"]["result"]
