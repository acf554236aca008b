"""The joiner logs in with the settings that every other client of the cluster is given."""

import pytest
from aiokafka.helpers import create_ssl_context
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from modstream.processors.errors import SettingUnsupported
from modstream.processors.join.faust.security import credentials


def test_a_connection_without_security_needs_no_credentials():
    assert credentials({"linger.ms": "5"}) is None


def test_sasl_over_tls_reaches_the_joiners_client():
    options = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "joiner",
        "sasl.password": "secret",
    }

    login = credentials_to_aiokafka_auth(credentials(options))

    assert login["security_protocol"] == "SASL_SSL"
    assert login["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (login["sasl_plain_username"], login["sasl_plain_password"]) == ("joiner", "secret")
    assert type(login["ssl_context"]) is type(create_ssl_context())


def test_tls_alone_reaches_the_joiners_client():
    login = credentials_to_aiokafka_auth(credentials({"security.protocol": "ssl"}))

    assert login["security_protocol"] == "SSL"


@pytest.mark.parametrize("name", ["sasl.oauthbearer.client.secret", "ssl.engine.location"])
def test_a_security_setting_without_counterpart_is_refused_and_its_value_kept_secret(name):
    with pytest.raises(SettingUnsupported, match=name) as refused:
        credentials({name: "hush"})

    assert "hush" not in str(refused.value)


def test_a_login_that_needs_more_than_a_password_is_refused():
    with pytest.raises(SettingUnsupported, match="GSSAPI"):
        credentials({"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "GSSAPI"})
