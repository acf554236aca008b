"""The compose file: it is valid, and its application services work as they are written."""

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from modstream.containers.secrets import APPLICATION_UID
from modstream.settings import Settings
from tests.journeys.conftest import TIMEOUT_SECONDS, System, with_route

ROOT = Path(__file__).parents[2]
SERVICES = {"seed", "worker", "joiner", "learner", "load", "gateway", "dashboard", "operator"}
"""The services that are commands of modstream."""
PREPARATION = {"secrets", "rights"}
"""The services that run a module of `modstream.containers`."""
APPLICATION = SERVICES | PREPARATION
SECRETS = "/run/modstream/"
FINISHED = "service_completed_successfully"
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
        [str(binary), "-f", str(file), "--profile", "*", *arguments],
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
        assert services[server]["depends_on"]["secrets"]["condition"] == FINISHED
        assert services[server]["healthcheck"]["test"]
        assert {v["type"] for v in services[server]["volumes"]} == {"volume"}
        assert services["worker"]["depends_on"][server]["condition"] == "service_healthy"
    assert services["worker"]["depends_on"]["seed"]["condition"] == FINISHED
    assert services["load"]["profiles"] == ["load"]


def test_the_image_runs_the_commands_of_the_services(services):
    dockerfile = (ROOT / "Dockerfile").read_text()

    assert 'ENTRYPOINT ["modstream"]' in dockerfile
    assert set(services) == APPLICATION | {"kafka", "redis"}
    assert {name for name in services if services[name].get("entrypoint")} == PREPARATION
    for name in PREPARATION:
        *python, module = services[name]["entrypoint"]
        assert python == ["python", "-m"]
        assert find_spec(module) is not None


def test_a_container_has_no_rights_that_it_does_not_need(services):
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service.get("read_only") or name == "kafka", name
        assert not service.get("cap_add") or name == "secrets", name
        assert service.get("pids_limit") or name == "secrets", name
        assert service.get("mem_limit") or name == "secrets", name
        # A restarted container could not write a tmpfs that has the mode of its mount point.
        assert all("mode=1777" in one for one in service.get("tmpfs", ())), name
    assert services["secrets"]["network_mode"] == "none"
    assert f"--uid {APPLICATION_UID} " in (ROOT / "Dockerfile").read_text()


def test_ports_are_those_of_this_machine_only(services):
    published = {
        name: [port["host_ip"] for port in service["ports"]]
        for name, service in services.items()
        if service.get("ports")
    }
    assert set(published) == {"kafka", "redis", "gateway", "dashboard"}
    assert {address for addresses in published.values() for address in addresses} == {"127.0.0.1"}


def test_a_service_has_its_own_login_and_no_secret_of_another(services):
    volumes = {
        name: {one["source"] for one in services[name]["volumes"] if "source" in one}
        for name in SERVICES
    }
    for name in ("worker", "joiner", "learner", "gateway", "dashboard"):
        environment = services[name]["environment"]
        assert environment["MODSTREAM_KAFKA_SECURITY__USERNAME"] == name
        assert {one for one in volumes[name] if one.endswith("-login")} == {f"{name}-login"}
        assert environment["MODSTREAM_TRUSTED_KEYS_FILE"] == f"{SECRETS}trust/keys"
    assert {name for name in SERVICES if "signing" in volumes[name]} == {
        *("seed", "learner", "load", "operator")
    }
    assert all(
        not value.startswith("password")
        for name in APPLICATION
        for value in services[name]["environment"].values()
    )


def test_every_service_that_stays_has_a_health_check(services):
    ended = {"seed", "load", "operator", *PREPARATION}
    for name, service in services.items():
        check = service.get("healthcheck", {})
        assert (name in ended) == check.get("disable", False), name
        assert check.get("test") or name in ended, name


def test_every_variable_of_the_services_is_a_setting(services):
    """An unknown variable would be ignored silently."""
    names = {name for service in SERVICES for name in services[service]["environment"]}
    fields = {name.removeprefix("MODSTREAM_").split("__")[0].lower() for name in names}

    assert all(name.startswith("MODSTREAM_") for name in names)
    assert fields <= set(Settings.model_fields)


@pytest.mark.real
@pytest.mark.journey
@pytest.mark.timeout(600)
@pytest.mark.long
def test_every_application_service_works_as_it_is_written(system, services):
    """Seed, predict, label, learn and load, with the file's own commands and environments."""
    environments = {name: environment(services[name], system) for name in SERVICES}

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
    """Return a service's environment with the test's servers and prefix, which want no login."""
    settings = system.settings
    hosts = {"kafka:9092": settings.bootstrap, "redis://redis:6379/0": settings.redis}
    found = {
        name: hosts.get(value, value)
        for name, value in service["environment"].items()
        if "_SECURITY__" not in name and SECRETS not in value
    }
    assert found["MODSTREAM_BOOTSTRAP"] == settings.bootstrap, "the host is replaced"
    return found | {"MODSTREAM_PREFIX": settings.prefix}
