"""A whole system whose Kafka and Redis ask every process who it is."""

import uuid
from pathlib import Path

import pytest
from pydantic import SecretStr

from modstream.redis_security import RedisSecurity
from tests.journeys.conftest import TIMEOUT_SECONDS, open_system, with_route
from tests.secure.conftest import PASSWORD, USER
from tests.secure.learned_model import ROWS, publish, wait_until_learned
from tests.secure.rights import allow_everything

CANARY = PASSWORD.partition(":")[0]
"""A part of each password that is the same in a URL."""
SHOWING_COMMANDS = (
    *("config", "doctor", "acls bugs --json", "asyncapi", "topics list"),
    *("models list", "models show bugs --json", "report", "dlq list --json"),
)
pytestmark = [pytest.mark.real, pytest.mark.journey, pytest.mark.long]


@pytest.mark.parametrize(
    ("mechanism", "tls"),
    [
        ("SCRAM-SHA-512", True),
        pytest.param("OAUTHBEARER", False, marks=pytest.mark.thorough),
        pytest.param(None, True, marks=pytest.mark.thorough),
    ],
)
def test_requests_are_answered_and_labels_learned(secured, closed_redis, tmp_path, mechanism, tls):
    allow_everything(secured.owner, USER)
    address, prefix = secured.address(mechanism, tls=tls), f"t{uuid.uuid4().hex[:8]}."
    with open_system(address, closed_redis, prefix, tmp_path) as opened:
        opened.settings = opened.settings.model_copy(
            update={
                "kafka_security": secured.security(mechanism, tls=tls),
                "redis_security": RedisSecurity(username=USER, password=SecretStr(PASSWORD)),
                "log_level": "debug",
            }
        )
        system = with_route(opened, "bugs", stream="bugs")
        system.create_topics()
        publish(system)
        for role in ("worker", "joiner", "learner"):
            system.start(role, role)
        client = system.client()
        sent = [client.send(row) for row in ROWS]
        answers = [client.wait(one, TIMEOUT_SECONDS) for one in sent]
        for one, row in zip(sent, ROWS, strict=True):
            client.label(one, row["x0"] > 0, 1000)
        client.flush()
        wait_until_learned(system)
        printed = "".join(
            "".join(map(str, system.run(*command.split()))) for command in SHOWING_COMMANDS
        )
        started = Path("/proc").glob("[0-9]*/cmdline")
        commands = b"".join(filter(None, map(read_if_there, started)))

    assert {answer.version for answer in answers} == {1}
    assert CANARY not in printed
    assert CANARY.encode() not in commands
    assert b"modstream" in commands
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []
    assert "Traceback" not in "".join(path.read_text() for path in tmp_path.rglob("*.log"))


def read_if_there(path):
    """Return the content of a file of a process, which may have ended meanwhile."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
