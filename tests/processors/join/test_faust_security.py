"""The joiner authenticates with the same settings as the other Kafka clients."""

import pytest
from aiokafka.helpers import create_ssl_context
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from modstream.processors.errors import UnsupportedSetting
from modstream.processors.join.faust.security import faust_credentials


def test_connection_without_security_has_no_credentials():
    assert faust_credentials({"linger.ms": "5"}) is None


def test_sasl_over_tls_is_passed_to_the_kafka_client():
    options = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "joiner",
        "sasl.password": "secret",
    }

    login = credentials_to_aiokafka_auth(faust_credentials(options))

    assert login["security_protocol"] == "SASL_SSL"
    assert login["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (login["sasl_plain_username"], login["sasl_plain_password"]) == ("joiner", "secret")
    assert type(login["ssl_context"]) is type(create_ssl_context())


def test_tls_alone_is_passed_to_the_kafka_client():
    login = credentials_to_aiokafka_auth(faust_credentials({"security.protocol": "ssl"}))

    assert login["security_protocol"] == "SSL"


@pytest.mark.parametrize("name", ["sasl.jaas.config", "ssl.engine.location"])
def test_unsupported_security_setting_is_rejected_without_showing_its_value(name):
    with pytest.raises(UnsupportedSetting, match=name) as rejected:
        faust_credentials({name: "hush"})

    assert "hush" not in str(rejected.value)


def test_tokens_of_an_openid_provider_are_passed_to_the_kafka_client():
    prefix = "sasl.oauthbearer"
    options = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "OAUTHBEARER",
        f"{prefix}.method": "oidc",
        f"{prefix}.token.endpoint.url": "https://id/token",
        f"{prefix}.client.id": "joiner",
        f"{prefix}.client.secret": "secret",
    }

    login = credentials_to_aiokafka_auth(faust_credentials(options))

    assert (login["security_protocol"], login["sasl_mechanism"]) == ("SASL_SSL", "OAUTHBEARER")
    tokens = login["sasl_oauth_token_provider"]
    assert (tokens.url, tokens.client_id, tokens.secret) == ("https://id/token", "joiner", "secret")


def test_tokens_of_another_kind_are_rejected():
    with pytest.raises(UnsupportedSetting, match="method=default"):
        faust_credentials({"security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER"})


def test_unsupported_sasl_mechanism_is_rejected():
    with pytest.raises(UnsupportedSetting, match="GSSAPI"):
        faust_credentials({"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "GSSAPI"})
