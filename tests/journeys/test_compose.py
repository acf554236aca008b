"""The compose file: valid, and each of its application's services works as it is written there."""

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.journeys.conftest import SECONDS, System, with_route

ROOT = Path(__file__).parents[2]
APPLICATION = {"seed", "worker", "joiner", "learner", "load"}
FLIGHT = {
    "carrier": "UA", "origin": "EWR", "dest": "ORD", "distance": 719.0, "hour": 17.0,
    "minute": 30.0, "day_of_week": 4.0, "temp": 40.0, "dewp": 30.0, "humid": 60.0,
    "wind_dir": 200.0, "wind_speed": 9.0, "wind_gust": 9.0, "precip": 0.0, "pressure": 1012.0,
    "visib": 10.0,
}  # fmt: skip


def compose(*arguments: str, file: Path = ROOT / "docker-compose.yml"):
    """Run the real `docker compose`, which needs no engine to read a file."""
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
    """The services as compose understands them, anchors and short forms resolved."""
    done = compose("config", "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["services"]


def test_the_file_follows_the_compose_specification():
    assert compose("config", "--quiet").returncode == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [("    healthcheck:", "    healthchek:"), ("profiles: [load]", "profiles: load: x"),
     ("depends_on: &servers", "depends_on: &servers\n    nobody: { condition: service_done }")],
)  # fmt: skip
def test_a_broken_file_is_refused(tmp_path, old, new):
    broken = tmp_path / "docker-compose.yml"
    text = (ROOT / "docker-compose.yml").read_text()
    assert old in text
    broken.write_text(text.replace(old, new, 1))

    assert compose("config", "--quiet", file=broken).returncode != 0


def test_servers_are_healthy_before_anybody_uses_them_and_keep_their_data(services):
    for server in ("kafka", "redis"):
        assert services[server]["healthcheck"]["test"]
        assert [v["type"] for v in services[server]["volumes"]] == ["volume"]
        assert services["worker"]["depends_on"][server]["condition"] == "service_healthy"
    assert services["worker"]["depends_on"]["seed"]["condition"] == "service_completed_successfully"
    assert services["load"]["profiles"] == ["load"]


def test_the_image_runs_the_command_that_the_services_name(services):
    dockerfile = (ROOT / "Dockerfile").read_text()

    assert 'ENTRYPOINT ["modstream"]' in dockerfile
    assert all("entrypoint" not in services[s] or not services[s]["entrypoint"] for s in services)
    assert set(services) == APPLICATION | {"kafka", "redis"}


@pytest.mark.real
@pytest.mark.journey
@pytest.mark.timeout(240)
@pytest.mark.long
def test_every_application_service_does_its_work_as_it_is_written(system, services):
    """Seed, ask, label, learn and load, by the file's own commands and environments."""
    environments = {name: environment(services[name], system) for name in APPLICATION}

    def start(name: str) -> None:
        system.start(name, *services[name]["command"], environment=environments[name])

    start("seed")
    assert system.supervisor.wait_for(lambda rows: rows[0].exit_code == 0, 120), system.log("seed")
    for name in ("worker", "joiner", "learner"):
        start(name)

    asked = with_route(system, "online", "frozen")
    client = asked.client()
    tickets = [client.send(FLIGHT, event_time=1_700_000_000_000 + n) for n in range(50)]
    for ticket in tickets:
        answers = client.wait_all(ticket, ("online", "frozen"), SECONDS)
        assert {answer.version for answer in answers.values()} == {1}
    for number, ticket in enumerate(tickets):
        client.label(ticket, number % 3 == 0, 1_700_000_100_000 + number)
    client.flush()
    with asked.registry() as registry, registry.watch() as hints:
        while registry.newest("online").metrics["learned"] < len(tickets):
            assert hints.wait(SECONDS), system.log("learner")

    start("load")
    assert system.supervisor.wait_for(
        lambda rows: any(row.name == "load" and row.exit_code == 0 for row in rows), 90
    ), system.log("load")
    assert "answered" in system.log("load")
    restarts = {row.name: row.restarts for row in system.supervisor.status()}
    assert set(restarts.values()) == {0}, restarts


def environment(service: dict[str, object], system: System) -> dict[str, str]:
    """A service's environment with the hosts replaced, apart under the test's prefix."""
    settings = system.settings
    hosts = {"kafka:9092": settings.bootstrap, "redis://redis:6379/0": settings.redis}
    found = {name: hosts.get(value, value) for name, value in service["environment"].items()}
    assert found["MODSTREAM_BOOTSTRAP"] == settings.bootstrap, "the host was replaced"
    return found | {"MODSTREAM_PREFIX": settings.prefix}
