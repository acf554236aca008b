"""`modstream acls` prints rights; it asks no server, and reads no secret."""

import json

import pytest
from typer.testing import CliRunner

from modstream.cli.app import app
from modstream.rights.rights import Role


def run(*arguments):
    done = CliRunner().invoke(app, ["acls", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODSTREAM_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("MODSTREAM_PREFIX", "acme.")
    monkeypatch.setenv("MODSTREAM_KAFKA_SECURITY__MECHANISM", "PLAIN")
    monkeypatch.setenv("MODSTREAM_KAFKA_SECURITY__USERNAME", "someone")
    monkeypatch.setenv("MODSTREAM_KAFKA_SECURITY__PASSWORD_FILE", str(tmp_path / "missing"))


def test_all_roles_are_listed():
    rows = json.loads(run("clicks", "--json"))

    assert {row["role"] for row in rows} == set(Role)
    labeller = [row for row in rows if row["role"] == "labeller"]
    assert [(one["kind"], one["name"], one["operations"]) for one in labeller] == [
        ("topic", "acme.clicks.labels", "Write"),
        ("group", "acme.modstream", "Describe"),
    ]


def test_a_role_gets_a_user_of_its_stream_and_name():
    assert "User:clicks-joiner " in run("clicks", "--role", "joiner")
    assert "User:me " in run("clicks", "--role", "joiner", "--principal", "me")


def test_a_role_without_redis_says_so():
    assert run("--role", "client", "--format", "redis") == "# client does not use Redis\n"
