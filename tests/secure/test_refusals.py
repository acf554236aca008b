"""What a wrong login looks like: each command and each service ends at once and says the cause."""

import uuid
from time import monotonic

import pytest
from pydantic import SecretStr

from modstream.processors.conformal.settings import ServedSetSettings
from modstream.redis_security import RedisSecurity
from tests.journeys.conftest import open_system
from tests.secure.conftest import PASSWORD, USER
from tests.secure.rights import allow_everything

pytestmark = [pytest.mark.real, pytest.mark.journey, pytest.mark.long]

PATIENCE_S = 5.0
SERVICES = (
    *("worker", "joiner", "learner", "retrainer", "calibrator"),
    *("materializer", "aggregator", "gateway", "dashboard"),
)
KAFKA_COMMANDS = ("topics list", "topics lag", "consume", "predict x=1", "dlq list", "verify")
REDIS_COMMANDS = ("models list", "models show m", "keys list", "pipelines list")
BRIEF = {"worker", "joiner", "aggregator", "gateway", "topics list", "predict x=1", "models list"}


def briefly(*commands):
    """Return the commands as parameters, of which `make test` runs a part."""
    return [
        one if one in BRIEF else pytest.param(one, marks=pytest.mark.thorough) for one in commands
    ]


@pytest.fixture
def system(secured, closed_redis, tmp_path):
    allow_everything(secured.owner, USER)
    prefix = f"t{uuid.uuid4().hex[:8]}."
    address = secured.address("SCRAM-SHA-512", tls=True)
    with open_system(address, closed_redis, prefix, tmp_path) as opened:
        login = RedisSecurity(username=USER, password=SecretStr(PASSWORD))
        kafka = secured.security("SCRAM-SHA-512", tls=True)
        secure = {
            "kafka_security": kafka,
            "redis_security": login,
            "conformal": ServedSetSettings({"flights": 0.9}),
        }
        opened.settings = opened.settings.model_copy(update=secure)
        opened.create_topics()
        yield opened


def run(system, command, **changes):
    """Run a command with changed settings; return what it printed to standard error."""
    system.settings = system.settings.model_copy(update=changes)
    started = monotonic()
    done = system.run(*command.split())
    assert done.returncode == 1, done.stdout + done.stderr
    assert monotonic() - started < PATIENCE_S
    assert PASSWORD not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("command", briefly(*SERVICES, *KAFKA_COMMANDS))
def test_a_wrong_password_of_kafka_is_the_cause(secured, system, command):
    wrong = {"password": SecretStr("wrong"), "password_file": None}
    security = secured.security("SCRAM-SHA-512", tls=True, **wrong)

    printed = run(system, command, kafka_security=security)

    assert "the login to Kafka at " in printed
    assert "invalid credentials" in printed
    assert "`kafka_security`" in printed


@pytest.mark.parametrize("command", briefly(*sorted(set(SERVICES) - {"joiner"}), *REDIS_COMMANDS))
def test_a_wrong_password_of_redis_is_the_cause(system, command):
    wrong = RedisSecurity(username=USER, password=SecretStr("wrong"))

    printed = run(system, command, redis_security=wrong)

    assert "invalid username-password pair" in printed.lower()
