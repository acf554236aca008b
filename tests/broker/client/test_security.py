import pytest
from pydantic import SecretStr

from modstream.broker.client.security import KafkaSecurity
from modstream.secret_files import SecretUnreadable

PASSWORD = SecretStr("canary")
TOKEN_URL = "https://id/token"  # noqa: S105 - no secret


def test_without_security_no_option_is_set():
    assert KafkaSecurity().options() == {}


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("tls", [False, True])
def test_a_password_is_an_option_of_every_mechanism_that_has_one(mechanism, tls):
    security = KafkaSecurity(mechanism=mechanism, username="worker", password=PASSWORD, tls=tls)

    assert security.options() == {
        "security.protocol": "SASL_SSL" if tls else "SASL_PLAINTEXT",
        "sasl.mechanism": mechanism,
        "sasl.username": "worker",
        "sasl.password": "canary",
    }
    assert "canary" not in repr(security)


def test_a_certificate_needs_no_sasl(tmp_path):
    security = KafkaSecurity(
        tls=True,
        ca_file=tmp_path / "ca",
        certificate_file=tmp_path / "crt",
        key_file=tmp_path / "key",
        key_password=PASSWORD,
    )

    assert security.options() == {
        "security.protocol": "SSL",
        "ssl.ca.location": str(tmp_path / "ca"),
        "ssl.certificate.location": str(tmp_path / "crt"),
        "ssl.key.location": str(tmp_path / "key"),
        "ssl.key.password": "canary",
    }


def test_tokens_come_from_an_openid_provider(tmp_path):
    file = tmp_path / "secret"
    file.write_text("canary\n")
    security = KafkaSecurity(
        mechanism="OAUTHBEARER",
        token_url=TOKEN_URL,
        client_id="worker",
        client_secret_file=file,
        tls=True,
    )

    assert security.options() == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.token.endpoint.url": TOKEN_URL,
        "sasl.oauthbearer.client.id": "worker",
        "sasl.oauthbearer.client.secret": "canary",
    }


def test_a_file_is_read_for_each_client(tmp_path):
    file = tmp_path / "password"
    file.write_text("first\r\n")
    security = KafkaSecurity(mechanism="PLAIN", username="worker", password_file=file)
    first = security.options()
    file.write_text(" second ")

    assert first["sasl.password"] == "first"
    assert security.options()["sasl.password"] == " second "


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), (b"", "empty"), (b"\n", "empty"), (b"\xff\xfe", "not UTF-8")],
)
def test_a_file_without_a_secret_is_refused_by_its_name(tmp_path, content, reason):
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    security = KafkaSecurity(mechanism="PLAIN", username="worker", password_file=file)

    with pytest.raises(SecretUnreadable, match=reason) as raised:
        security.options()

    assert str(file) in str(raised.value)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"mechanism": "GSSAPI"}, "Kerberos"),
        ({"mechanism": "PLAIN", "username": "u"}, "PLAIN needs username, and password"),
        ({"mechanism": "SCRAM-SHA-512", "password": PASSWORD}, "needs username"),
        ({"mechanism": "OAUTHBEARER", "client_id": "c"}, "OAUTHBEARER needs token_url"),
        ({"username": "u"}, "a login needs the mechanism"),
        ({"password": PASSWORD}, "a login needs the mechanism"),
        ({"tls": True, "certificate_file": "c"}, "belong together"),
        ({"ca_file": "c"}, "certificates need tls"),
        ({"mechanism": "PLAIN", "username": "u", "password": PASSWORD, "password_file": "f"},
         "either password or password_file"),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_together_are_refused_with_the_reason(given, reason):
    with pytest.raises(ValueError, match=reason) as raised:
        KafkaSecurity(**given)

    assert "canary" not in str(raised.value)
