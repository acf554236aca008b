"""docker-compose.yml in real containers: load, kills, restarts, kept data, and who is let in."""

import json
import subprocess
from threading import Event
from time import time

import pytest
import redis
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.containers.podman import APPLICATION, note
from tests.containers.stack import SERVICES

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

FLIGHT = (
    *("carrier=UA", "origin=EWR", "dest=ORD", "distance=719", "hour=17", "minute=30"),
    *("day_of_week=4", "temp=40", "dewp=30", "humid=60", "wind_dir=200", "wind_speed=9"),
    *("wind_gust=9", "precip=0", "pressure=1012", "visib=10"),
)
UNSIGNED = """
from modstream.models.schema.version_spec import VersionSpec
from modstream.registry.access import open_registry
from modstream.settings import load_settings

with open_registry(load_settings()) as registry:
    card = registry.card("frozen")
    spec = VersionSpec(**{name: getattr(card, name) for name in VersionSpec.model_fields})
    spec = spec.model_copy(update={"note": "unsigned"})
    print(registry.publish(spec, registry.artifact(card).content).version)
"""
HOST = "127.0.0.1"


def address(stack) -> dict[str, str]:
    """Return the address of Kafka on the host, as an option of librdkafka."""
    return {"bootstrap.servers": f"{HOST}:{stack.podman.ports['KAFKA']}"}


def verified(process: subprocess.Popen) -> dict:
    """Return what `modstream verify --json` has found, which must be that nothing is wrong."""
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, output + errors
    found = json.loads(output)
    note(f"verify: {found['predictions']} of {found['requests']} requests answered once")
    return found


@pytest.fixture
def requests(stack):
    """The topic of requests, whose records are counted while a command sends them."""
    login = login_of("operator", stack.secret("operator-login", "kafka"))
    with RequestsTopic({**address(stack), **login}) as topic:
        yield topic


class RequestsTopic:
    """Counts the records of the topic of requests."""

    NAME = "flights.requests"

    def __init__(self, options):
        self._consumer = Consumer({**options, "group.id": "tests"})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._consumer.close()

    def count(self) -> int:
        consumer, name = self._consumer, self.NAME
        partitions = consumer.list_topics(name, timeout=30).topics[name].partitions
        ends = [consumer.get_watermark_offsets(TopicPartition(name, one), 30) for one in partitions]
        return sum(end for _, end in ends)

    def wait_for(self, process: subprocess.Popen, number: int) -> None:
        """Wait until there are that many further records, while a command runs."""
        wanted, pause = self.count() + number, Event()
        while self.count() < wanted:
            if process.poll() is not None:
                pytest.fail("\n".join(process.communicate()))
            pause.wait(0.2)


def login_of(user: str, password: str) -> dict[str, str]:
    """Return the options of librdkafka for a user's login."""
    login = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN"}
    return {**login, "sasl.username": user, "sasl.password": password}


def test_a_load_is_answered(stack):
    report = stack.read_json(*("load", "--rate", "200", "--seconds", "20", "--model", "online"))

    latency = report["latency_ms"]
    note(f"load: {report['answered']} of {report['sent']} answered,"
         f" p50 {latency['p50']} ms, p99 {latency['p99']} ms")  # fmt: skip
    assert report["answered"] == report["sent"] == 4000


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_has_no_rights_that_it_does_not_need(stack, service):
    found = stack.podman.inspect(stack.container(service))

    assert found["EffectiveCaps"] in (None, []), found["EffectiveCaps"]
    assert found["BoundingCaps"] in (None, []), found["BoundingCaps"]
    assert "no-new-privileges" in str(found["HostConfig"]["SecurityOpt"])
    assert found["Config"]["User"] not in {"", "0", "root"}
    assert found["HostConfig"]["Memory"] > 0
    assert found["HostConfig"]["PidsLimit"] > 0
    assert found["HostConfig"]["ReadonlyRootfs"] or service == "kafka"
    ports = [
        one for ports in (found["NetworkSettings"]["Ports"] or {}).values() for one in ports or ()
    ]
    assert {one["HostIp"] for one in ports} <= {"127.0.0.1"}


@pytest.mark.parametrize("login", [{}, login_of("operator", "guessed")])
def test_kafka_refuses_a_client_without_its_login(stack, login):
    client = AdminClient({**address(stack), "log_level": 0, **login})
    with pytest.raises(KafkaException):
        client.list_topics(timeout=5)


def test_kafka_lists_its_topics_to_a_client_with_a_login(stack):
    """Else the test above would pass if Kafka did not listen at all."""
    login = login_of("learner", stack.secret("learner-login", "kafka"))
    client = AdminClient({**address(stack), **login})

    topics = client.list_topics(timeout=10).topics

    assert "flights.feedback" in topics
    assert "flights.requests" not in topics, "the learner has no right to it"


def test_redis_refuses_a_client_without_its_login(stack):
    password = stack.secret("worker-login", "redis")
    host, port = HOST, stack.podman.ports["REDIS"]
    with redis.Redis(host, port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with (
        redis.Redis(host, port, username="worker", password="guessed") as guest,  # noqa: S106
        pytest.raises(redis.AuthenticationError),
    ):
        guest.ping()
    with redis.Redis(host, port, username="worker", password=password) as worker:
        assert worker.ping()
        with pytest.raises(redis.exceptions.NoPermissionError):
            worker.set("modstream:aliases:frozen", "x")


def test_a_service_knows_no_secret_of_another(stack):
    for service in ("worker", "joiner", "gateway", "dashboard"):
        files = stack.podman.run(
            *("exec", stack.container(service), "find", "/run/modstream", "-type", "f")
        ).stdout.split()
        assert not [file for file in files if "signing" in file or "api-key" in file], files
        assert not any(file.startswith("/run/modstream/operator") for file in files), files


def test_an_unsigned_model_is_refused_while_the_signed_one_serves(stack):
    before = stack.read_json("models", "show", "frozen")["version"]
    command = stack.command("-c", UNSIGNED, entrypoint="python", MODSTREAM_SIGNING_KEY=None)
    done = subprocess.run(
        command, env=stack.podman.environment, capture_output=True, text=True, check=True
    )
    unsigned = int(done.stdout)
    try:
        assert unsigned > before
        assert stack.read_json("models", "show", "frozen")["version"] == unsigned
        named = stack.operate(
            *("predict", *FLIGHT, "--model", "frozen", "--version", str(unsigned), "--json"),
            check=False,
        )
        assert "not signed" in named.stdout + named.stderr, named
        answered = stack.operate("predict", *FLIGHT, "--model", "frozen", "--json")
        assert json.loads(answered.stdout)["version"] == before
        note(f"frozen {unsigned} is not signed, and refused; version {before} answers")
    finally:
        stack.operate("models", "rollback", "frozen")


def test_verify_holds_while_worker_joiner_and_redis_are_killed(stack, requests):
    process = stack.begin("verify", "-n", "4000", "--rate", "50", "--idle-timeout", "120", "--json")
    requests.wait_for(process, 200)
    for service in ("worker", "joiner", "redis"):
        stack.kill(service)
        requests.wait_for(process, 600)
    assert verified(process)["predictions"] == 4000
    stack.wait_healthy()


def test_the_system_recovers_from_a_killed_kafka(stack):
    stack.kill("kafka")
    stack.wait_healthy()
    assert verified(stack.begin("verify", "-n", "500", "--json"))["predictions"] == 500


def test_workers_are_recreated_from_a_new_image_under_load(stack, requests):
    podman, before = stack.podman, stack.podman.inspect(stack.container("worker"))
    podman.build(APPLICATION, f"--label=build={time():.0f}")
    process = stack.begin("verify", "-n", "3000", "--rate", "60", "--idle-timeout", "120", "--json")
    requests.wait_for(process, 200)
    done = podman.compose(
        *("up", "-d", "--no-build", "--no-deps", "--force-recreate", "--scale", "worker=2"),
        "worker",
    )
    assert done.returncode == 0, done.stderr
    after = podman.inspect(stack.container("worker"))
    assert after["Image"] != before["Image"]
    note("workers are recreated from the new image")
    assert verified(process)["predictions"] == 3000
    stack.wait_healthy()


def test_data_survive_down_and_up(stack):
    models, history = (
        stack.read_json("models", "list"),
        stack.read_json("models", "show", "frozen", "--history"),
    )
    answer = json.loads(stack.operate("predict", *FLIGHT, "--model", "frozen", "--json").stdout)
    secrets = stack.operate("keys", "list", "--json").stdout

    stack.down()
    assert stack.podman.containers("status=running") == []
    stack.up()

    found = {row["model"]: row for row in stack.read_json("models", "list")}
    for row in models:
        # The learner may publish further versions of its own model.
        assert found[row["model"]] == row or row["model"] == "online"
        assert found[row["model"]]["versions"] >= row["versions"]
    assert stack.read_json("models", "show", "frozen", "--history") == history
    assert stack.operate("keys", "list", "--json").stdout == secrets
    again = json.loads(stack.operate("predict", *FLIGHT, "--model", "frozen", "--json").stdout)
    assert (again["version"], again["outputs"]) == (answer["version"], answer["outputs"])
    note(f"after down and up: frozen {again['version']} answers as before")
