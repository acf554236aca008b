"""TLS: HTTP and gRPC with a certificate of a test authority, and files that cannot be used."""

import asyncio
import ssl
from dataclasses import replace

import grpc
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from modstream.producers.gateway.http.server import HttpServer
from modstream.producers.gateway.security.errors import TlsUnusable
from modstream.producers.gateway.security.tls import grpc_credentials, read_tls
from modstream.producers.gateway.settings import GatewaySettings
from tests.producers.gateway.certificates import Authority, key_in_pem

PATH = "/modstream.Test/Echo"


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def settings(authority, tmp_path):
    certificate, key = authority.issue()
    (tmp_path / "gateway.pem").write_bytes(certificate)
    (tmp_path / "gateway.key").write_bytes(key)
    return GatewaySettings(
        port=0, tls_certificate=tmp_path / "gateway.pem", tls_key=tmp_path / "gateway.key"
    )


def test_http_is_served_over_tls_to_who_trusts_the_authority(settings, authority):
    async def hello(_):
        return PlainTextResponse("hello")

    async def ask():
        server = HttpServer(Starlette(routes=[Route("/", hello)]), settings)
        serving = asyncio.create_task(server.serve())
        trusted = ssl.create_default_context(cadata=authority.certificate.decode())
        try:
            async with httpx.AsyncClient(verify=trusted, trust_env=False) as client:
                answer = await client.get(server.url)
            async with httpx.AsyncClient(trust_env=False) as stranger:
                with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                    await stranger.get(server.url)
        finally:
            server.stop()
            await serving
        return server.url, answer.text

    url, text = asyncio.run(ask())

    assert url.startswith("https://127.0.0.1:")
    assert text == "hello"


def test_grpc_is_served_over_tls_to_who_trusts_the_authority(settings, authority):
    async def echo(request, _):
        return request

    async def ask():
        server = grpc.aio.server()
        method = grpc.unary_unary_rpc_method_handler(echo)
        handler = grpc.method_handlers_generic_handler("modstream.Test", {"Echo": method})
        server.add_generic_rpc_handlers((handler,))
        port = server.add_secure_port("127.0.0.1:0", grpc_credentials(settings))
        await server.start()
        trusted = grpc.ssl_channel_credentials(authority.certificate)
        try:
            async with grpc.aio.secure_channel(f"127.0.0.1:{port}", trusted) as channel:
                return await channel.unary_unary(PATH)(b"hello", timeout=20)
        finally:
            await server.stop(None)

    assert asyncio.run(ask()) == b"hello"


def test_without_a_certificate_there_is_no_tls():
    assert read_tls(GatewaySettings()) is None
    assert grpc_credentials(GatewaySettings()) is None


def test_a_certificate_and_its_key_are_set_together(settings):
    with pytest.raises(TlsUnusable, match=r"^gateway\.tls_key: is not set"):
        read_tls(replace(settings, tls_key=None))
    with pytest.raises(TlsUnusable, match=r"^gateway\.tls_certificate: is not set"):
        read_tls(replace(settings, tls_certificate=None))


@pytest.mark.parametrize("setting", ["tls_certificate", "tls_key"])
def test_a_missing_file_is_named(settings, tmp_path, setting):
    missing = replace(settings, **{setting: tmp_path / "absent.pem"})

    with pytest.raises(TlsUnusable, match=rf"gateway\.{setting}: .*absent\.pem cannot be read: No"):
        grpc_credentials(missing)


@pytest.mark.parametrize(
    ("setting", "content", "reason"),
    [
        ("tls_certificate", b"", "has no certificate in PEM"),
        ("tls_certificate", b"\xff" * 100, "has no certificate in PEM"),
        ("tls_key", b"", "has no private key in PEM"),
        ("tls_key", b"-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n", "has no priv"),
    ],
)
def test_a_file_of_something_else_is_named(settings, setting, content, reason):
    getattr(settings, setting).write_bytes(content)

    with pytest.raises(TlsUnusable, match=rf"gateway\.{setting}: .*{reason}"):
        read_tls(settings)


def test_a_key_of_another_certificate_is_named(settings, authority):
    settings.tls_key.write_bytes(authority.issue()[1])

    with pytest.raises(TlsUnusable, match="does not belong to the first certificate of"):
        read_tls(settings)


def test_a_key_with_a_passphrase_is_refused_without_asking_for_it(settings):
    key = ec.generate_private_key(ec.SECP256R1())
    settings.tls_key.write_bytes(key_in_pem(key, b"secret"))

    with pytest.raises(TlsUnusable, match="is encrypted; store the key without a passphrase"):
        read_tls(settings)


def test_a_certificate_that_has_ended_is_logged(settings, authority):
    certificate, key = authority.issue(days=-1)
    settings.tls_certificate.write_bytes(certificate)
    settings.tls_key.write_bytes(key)

    with capture_logs() as logs:
        assert read_tls(settings) is not None

    assert [line["event"] for line in logs] == ["the certificate has ended: callers refuse it"]
