"""A running gateway, and API keys that are created and revoked meanwhile by commands."""

import json
import os
import subprocess
import sys
from time import monotonic, sleep

import httpx
import pytest

from modstream.broker.client.admin import Admin
from modstream.cli import main
from modstream.settings import Settings

FOLLOW_SECONDS = 10.0


class Gateway:
    """A gateway in a process of its own."""

    def __init__(self, settings, folder):
        self.log, self.folder = folder / "gateway.log", folder
        self.environment = {
            **{name: text for name, text in os.environ.items() if "MODSTREAM" not in name},
            "MODSTREAM_BOOTSTRAP": settings.bootstrap,
            "MODSTREAM_REDIS": settings.redis,
            "MODSTREAM_PREFIX": settings.prefix,
            "MODSTREAM_HOME": str(folder / "home"),
            "MODSTREAM_LOG_LEVEL": "debug",
            "MODSTREAM_LOG_FORMAT": "json",
            "MODSTREAM_GATEWAY__REQUIRE_KEY": "true",
        }

    def __enter__(self):
        command = [sys.executable, "-m", "modstream", "gateway", "--port", "0", "--grpc-port", "-1"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, env=self.environment, cwd=self.folder, stderr=log
            )
        found = self._await_line("gateway ready")
        self.client = httpx.Client(base_url=found["http"], trust_env=False, timeout=10)
        return self

    def __exit__(self, *_):
        self.client.close()
        self.process.terminate()
        assert self.process.wait(30) == 0

    def get(self, secret, path="/v2"):
        return self.client.get(path, headers={"X-API-Key": secret} if secret else {})

    def await_status(self, secret, status):
        end = monotonic() + FOLLOW_SECONDS
        while (answer := self.get(secret)).status_code != status:
            assert monotonic() < end, answer.text
            sleep(0.05)
        return answer

    def _await_line(self, event):
        end = monotonic() + 60
        while monotonic() < end:
            for line in self.log.read_text().splitlines():
                if line.startswith("{") and (found := json.loads(line))["event"] == event:
                    return found
            assert self.process.poll() is None, self.log.read_text()
            sleep(0.05)
        raise AssertionError(self.log.read_text())


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command in this process, which avoids the time of the imports."""

    def run_command(gateway, *arguments):
        for name, text in gateway.environment.items():
            monkeypatch.setenv(name, text)
        monkeypatch.setattr(sys, "argv", ["modstream", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main()
        assert exit_.value.code == 0
        return capsys.readouterr().out

    return run_command


@pytest.mark.real
def test_a_running_gateway_follows_its_keys_and_tells_them_to_nobody(
    bootstrap, redis_url, prefix, tmp_path, run
):
    settings = Settings(bootstrap=bootstrap, redis=redis_url, prefix=prefix)
    Admin(settings.connection).create(settings.topic_specs())
    with Gateway(settings, tmp_path) as gateway:
        refused = gateway.get("")
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
        assert refused.headers["WWW-Authenticate"] == 'Bearer realm="modstream"'
        assert gateway.get("", "/v2/health/live").status_code == 200

        secret = run(gateway, "keys", "create", "web", "--scope", "read:*", "--rate", "2").strip()
        gateway.await_status(secret, 200)
        label = gateway.client.post(
            "/v1/streams/flights/labels",
            json={"id": "1", "label": 1},
            headers={"Authorization": f"Bearer {secret}"},
        )
        assert (label.status_code, label.json()["code"]) == (403, "forbidden")
        limited = next(
            answer for _ in range(50) if (answer := gateway.get(secret)).status_code != 200
        )
        assert (limited.status_code, limited.json()["code"]) == (429, "rate_limited")
        assert limited.headers["Retry-After"] == "1"
        shown = run(gateway, "keys", "list", "--json")
        assert [key["name"] for key in json.loads(shown)] == ["web"]

        run(gateway, "keys", "revoke", "web")
        assert gateway.await_status(secret, 401).json()["error"] == (
            "this API key is unknown or revoked"
        )
        config = run(gateway, "config")
        health = "".join(
            path.read_text() for path in (tmp_path / "home").rglob("*") if path.is_file()
        )

    told = gateway.log.read_text() + shown + config + health + refused.text + limited.text
    assert secret.removeprefix("modstream_") not in told
