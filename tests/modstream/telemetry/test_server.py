"""The metrics server, its address, and how Prometheus and `modstream health` find it."""

import gzip
import json
import socket

import httpx
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from modstream.cli import diagnostics
from modstream.errors import InvalidSettings, MetricsAddressTaken
from modstream.metrics_settings import MetricsSettings
from modstream.process.health import HealthFiles, HealthReport
from modstream.settings import Settings, load_settings
from modstream.stack.local_stack import metrics_port
from modstream.telemetry.discovery import read_addresses
from modstream.telemetry.open import open_metrics
from modstream.telemetry.process import ProcessMetrics
from modstream.telemetry.server import serve_metrics
from tests.modstream.telemetry.sample_processes import PROCESSES

pytestmark = pytest.mark.slow

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
FREE = MetricsSettings(port=0)


@pytest.fixture
def url():
    with serve_metrics(PROCESSES["gateway"]().registry, FREE) as address:
        yield f"http://{address}/metrics"


def test_a_scraper_gets_the_format_that_it_accepts(url):
    plain = httpx.get(url)
    assert plain.headers["content-type"].startswith("text/plain; version=")
    assert "# {" not in plain.text

    openmetrics = httpx.get(url, headers={"Accept": OPENMETRICS})
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")
    assert "# {trace_id=" in openmetrics.text


def test_other_pages_and_methods_are_refused(url):
    assert httpx.get(url.replace("/metrics", "/")).status_code == 404
    assert httpx.post(url).status_code == 405
    assert httpx.get(url).status_code == 200


def test_a_client_that_sends_nothing_holds_up_others_for_a_limited_time(url, monkeypatch):
    monkeypatch.setattr("modstream.telemetry.server._Handler.timeout", 0.2)
    host, port = httpx.URL(url).host, httpx.URL(url).port
    with socket.create_connection((host, port)):
        assert httpx.get(url, timeout=5).status_code == 200


def test_the_port_is_free_again_after_the_context():
    with serve_metrics(CollectorRegistry(), FREE) as address:
        port = int(address.rpartition(":")[2])
    with serve_metrics(CollectorRegistry(), MetricsSettings(port=port)) as again:
        assert again == address


def test_an_address_that_is_taken_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(MetricsAddressTaken, match=f"127.0.0.1:{port} .*MODSTREAM_METRICS__PORT"),
            serve_metrics(CollectorRegistry(), MetricsSettings(port=port)),
        ):
            pass


@pytest.mark.parametrize("port", [-2, 65_536])
def test_a_port_out_of_range_is_refused(port):
    with pytest.raises(InvalidSettings, match="port"):
        load_settings(metrics={"port": port})


def test_a_process_is_announced_while_it_serves(tmp_path):
    settings = Settings(home=tmp_path, stream="flights", metrics=FREE)
    with capture_logs() as lines, open_metrics(settings, "worker", "0") as metrics:
        assert metrics.is_on
        (address,) = read_addresses(tmp_path).values()
        assert read_addresses(tmp_path) == {f"{settings.topics().group('worker')}-0": address}
        (file,) = (tmp_path / "metrics").iterdir()
        (target,) = json.loads(file.read_text())
        assert target["labels"]["service"] == "worker"
        assert target["labels"]["stream"] == "flights"
        assert httpx.get(f"http://{address}/metrics").status_code == 200
    assert [line["url"] for line in lines] == [f"http://{address}/metrics"]
    assert read_addresses(tmp_path) == {}


def test_nothing_listens_by_default(tmp_path):
    with open_metrics(Settings(home=tmp_path), "worker", "0") as metrics:
        assert not metrics.is_on
    assert not (tmp_path / "metrics").exists()


def test_a_damaged_file_does_not_hide_the_others(tmp_path):
    settings = Settings(home=tmp_path, metrics=FREE)
    with open_metrics(settings, "joiner"):
        (tmp_path / "metrics" / "broken.json").write_text("[]")
        assert len(read_addresses(tmp_path)) == 1


def test_health_shows_where_the_metrics_are(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MODSTREAM_HOME", str(tmp_path))
    settings = Settings(home=tmp_path, metrics=FREE)
    name = settings.topics().group("joiner")
    HealthFiles(tmp_path).write(HealthReport(name, True, "nothing waits", 0, 4e9))
    with open_metrics(settings, "joiner"):
        diagnostics.health(as_json=True)
        address = read_addresses(tmp_path)[name]
    assert address in capsys.readouterr().out


def test_the_processes_of_a_stack_take_free_ports():
    assert metrics_port(Settings(metrics=MetricsSettings(port=9100))) == {
        "MODSTREAM_METRICS__PORT": "0"
    }
    assert metrics_port(Settings()) == {}


def test_a_large_page_is_compressed_for_those_who_accept_it(url):
    with httpx.stream("GET", url, headers={"Accept-Encoding": "gzip"}) as answer:
        body = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(body).startswith(b"# HELP")


def test_the_metrics_of_two_processes_are_apart():
    first, second = (ProcessMetrics.of(CollectorRegistry()) for _ in range(2))
    first.on_health(HealthReport("w", True, "", 7, 0.0))
    assert first.registry.get_sample_value("modstream_lag_records") == 7
    assert second.registry.get_sample_value("modstream_lag_records") is None
