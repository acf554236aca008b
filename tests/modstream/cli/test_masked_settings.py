"""Settings are shown without their secrets."""

import json
import sys

import pytest

from modstream.cli import main
from modstream.cli.masked_settings import mask_secrets


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://user:canary@h:1/0", "redis://user:***@h:1/0"),
        ("redis://:canary@h", "redis://:***@h"),
        ("redis://user:canary@canary@h", "redis://user:***@h"),
        ("postgresql://canary@h/db?password=canary&sslmode=on", "postgresql://***@h/db?password=***&sslmode=on"),
        ("https://host/a@b", "https://host/a@b"),
        (5, 5),
        (None, None),
    ],
)  # fmt: skip
def test_the_secrets_of_a_url_are_masked(value, shown):
    assert mask_secrets({"url": value, "list": [value]}) == {"url": shown, "list": [shown]}


@pytest.mark.parametrize(
    ("option", "is_secret"),
    [
        ("sasl.password", True),
        ("ssl.key.password", True),
        ("ssl.key.pem", True),
        ("sasl.oauthbearer.client.secret", True),
        ("sasl.oauthbearer.config", True),
        ("sasl.oauthbearer.token.endpoint.url", False),
        ("sasl.username", False),
        ("ssl.key.location", False),
        ("ssl.certificate.pem", False),
    ],
)
def test_the_secret_options_of_kafka_are_masked(option, is_secret):
    assert mask_secrets({option: "x"}) == {option: "***" if is_secret else "x"}


def test_no_secret_is_in_the_printed_settings(monkeypatch, capsys):
    monkeypatch.setenv("MODSTREAM_REDIS", "redis://:canary@localhost:6379/0")
    monkeypatch.setenv("MODSTREAM_KAFKA", json.dumps({"sasl.password": "canary"}))
    monkeypatch.setenv("MODSTREAM_PREDICTION_STORE__URL", "postgresql://u:canary@localhost/db")
    monkeypatch.setattr(sys, "argv", ["modstream", "config"])

    with pytest.raises(SystemExit):
        main()

    printed = capsys.readouterr().out
    assert json.loads(printed)["redis"] == "redis://:***@localhost:6379/0"
    assert "canary" not in printed
