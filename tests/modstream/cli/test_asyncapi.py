"""`modstream asyncapi` prints the document of this installation, without its credentials."""

import json

from typer.testing import CliRunner

from modstream.cli.app import app


def test_the_document_has_the_prefix_streams_and_brokers_of_the_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("MODSTREAM_HOME", str(tmp_path))
    monkeypatch.setenv("MODSTREAM_PREFIX", "team.")
    monkeypatch.setenv("MODSTREAM_BOOTSTRAP", "a:9093, b:9093")
    secured = {"security.protocol": "SASL_SSL", "sasl.password": "canary"}
    monkeypatch.setenv("MODSTREAM_KAFKA", json.dumps(secured))

    result = CliRunner().invoke(app, ["asyncapi", "--stream", "flights", "--stream", "bugs"])

    found = json.loads(result.stdout)
    assert found["channels"]["labels"]["address"] == "team.{stream}.labels"
    assert found["channels"]["labels"]["parameters"]["stream"]["enum"] == ["flights", "bugs"]
    servers = [(one["host"], one["protocol"]) for one in found["servers"].values()]
    assert servers == [("a:9093", "kafka-secure"), ("b:9093", "kafka-secure")]
    assert "canary" not in result.stdout


def test_the_document_says_that_brokers_are_encrypted_and_reads_no_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("MODSTREAM_HOME", str(tmp_path))
    monkeypatch.setenv("MODSTREAM_KAFKA_SECURITY__TLS", "true")
    monkeypatch.setenv("MODSTREAM_KAFKA_SECURITY__MECHANISM", "PLAIN")
    monkeypatch.setenv("MODSTREAM_KAFKA_SECURITY__USERNAME", "someone")
    monkeypatch.setenv("MODSTREAM_KAFKA_SECURITY__PASSWORD_FILE", str(tmp_path / "missing"))

    result = CliRunner().invoke(app, ["asyncapi"])

    servers = json.loads(result.stdout)["servers"].values()
    assert [one["protocol"] for one in servers] == ["kafka-secure"]
