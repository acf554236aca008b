"""The compose file: it is valid, and its application services work as they are written."""

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from modstream.settings import Settings
from tests.journeys.conftest import TIMEOUT_SECONDS, System, with_route

ROOT = Path(__file__).parents[2]
APPLICATION = {"seed", "worker", "joiner", "learner", "load"}
FLIGHT = {
    "carrier": "UA", "origin": "EWR", "dest": "ORD", "distance": 719.0, "hour": 17.0,
    "minute": 30.0, "day_of_week": 4.0, "temp": 40.0, "dewp": 30.0, "humid": 60.0,
    "wind_dir": 200.0, "wind_speed": 9.0, "wind_gust": 9.0, "precip": 0.0, "pressure": 1012.0,
    "visib": 10.0,
}  # fmt: skip


def compose(*arguments: str, file: Path = ROOT / "docker-compose.yml"):
    """Run the real `docker compose`; it needs no engine to read a file."""
    spec = find_spec("compose")
    binary = Path(spec.origin).parent / "docker-compose"
    return subprocess.run(
        [str(binary), "-f", str(file), "--profile", "load", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def services():
    """The services as compose reads them, with anchors and short forms resolved."""
    done = compose("config", "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["services"]


def test_the_file_follows_the_compose_specification():
    assert compose("config", "--quiet").returncode == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [("    healthcheck:", "    healthchek:"), ("profiles: [load]", "profiles: load: x"),
     ("depends_on: &servers", "depends_on: &servers\n    unknown: { condition: service_done }")],
)  # fmt: skip
def test_an_invalid_file_is_rejected(tmp_path, old, new):
    broken = tmp_path / "docker-compose.yml"
    text = (ROOT / "docker-compose.yml").read_text()
    assert old in text
    broken.write_text(text.replace(old, new, 1))

    assert compose("config", "--quiet", file=broken).returncode != 0


def test_servers_are_healthy_before_they_are_used_and_keep_their_data(services):
    for server in ("kafka", "redis"):
        assert services[server]["healthcheck"]["test"]
        assert [v["type"] for v in services[server]["volumes"]] == ["volume"]
        assert services["worker"]["depends_on"][server]["condition"] == "service_healthy"
    assert services["worker"]["depends_on"]["seed"]["condition"] == "service_completed_successfully"
    assert services["load"]["profiles"] == ["load"]


def test_the_image_runs_the_commands_of_the_services(services):
    dockerfile = (ROOT / "Dockerfile").read_text()

    assert 'ENTRYPOINT ["modstream"]' in dockerfile
    assert all("entrypoint" not in services[s] or not services[s]["entrypoint"] for s in services)
    assert set(services) == APPLICATION | {"kafka", "redis"}


def test_every_variable_of_the_services_is_a_setting(services):
    """An unknown variable would be ignored silently."""
    names = {name for service in APPLICATION for name in services[service]["environment"]}
    fields = {name.removeprefix("MODSTREAM_").split("__")[0].lower() for name in names}

    assert all(name.startswith("MODSTREAM_") for name in names)
    assert fields <= set(Settings.model_fields)


@pytest.mark.real
@pytest.mark.journey
@pytest.mark.timeout(600)
@pytest.mark.long
def test_every_application_service_works_as_it_is_written(system, services):
    """Seed, predict, label, learn and load, with the file's own commands and environments."""
    environments = {name: environment(services[name], system) for name in APPLICATION}

    def start(name: str) -> None:
        system.start(name, *services[name]["command"], environment=environments[name])

    start("seed")
    assert system.supervisor.wait_for(lambda rows: rows[0].exit_code == 0, 120), system.log("seed")
    for name in ("worker", "joiner", "learner"):
        start(name)

    online = with_route(system, "online", "frozen")
    client = online.client()
    requests = [client.send(FLIGHT, event_time=1_700_000_000_000 + n) for n in range(50)]
    for request in requests:
        answers = client.wait_all(request, ("online", "frozen"), TIMEOUT_SECONDS)
        assert {answer.version for answer in answers.values()} == {1}
    for number, request in enumerate(requests):
        client.label(request, number % 3 == 0, 1_700_000_100_000 + number)
    client.flush()
    with online.registry() as registry, registry.subscribe() as changes:
        while registry.newest("online").metrics["learned"] < len(requests):
            assert changes.wait(TIMEOUT_SECONDS), system.log("learner")

    start("load")
    assert system.supervisor.wait_for(
        lambda rows: any(row.name == "load" and row.exit_code == 0 for row in rows), 90
    ), system.log("load")
    assert "answered" in system.log("load")
    restarts = {row.name: row.restarts for row in system.supervisor.status()}
    assert set(restarts.values()) == {0}, restarts


def environment(service: dict[str, object], system: System) -> dict[str, str]:
    """Return a service's environment with the test's servers and prefix."""
    settings = system.settings
    hosts = {"kafka:9092": settings.bootstrap, "redis://redis:6379/0": settings.redis}
    found = {name: hosts.get(value, value) for name, value in service["environment"].items()}
    assert found["MODSTREAM_BOOTSTRAP"] == settings.bootstrap, "the host is replaced"
    return found | {"MODSTREAM_PREFIX": settings.prefix}
