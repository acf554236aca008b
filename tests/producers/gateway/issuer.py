"""An issuer of OpenID Connect tokens on this machine, and hostile variants of its tokens."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE = "modstream-gateway"


class Issuer:
    """Its keys, and the documents that it serves; `asked` counts the fetches of its key set."""

    def __init__(self, url: str) -> None:
        self.url, self.asked, self.is_broken = url, 0, False
        self.rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.ed = ed25519.Ed25519PrivateKey.generate()
        self.keys = [
            {**RSAAlgorithm.to_jwk(self.rsa.public_key(), as_dict=True), "kid": "rsa"},
            {**ECAlgorithm.to_jwk(self.ec.public_key(), as_dict=True), "kid": "ec"},
            {**OKPAlgorithm.to_jwk(self.ed.public_key(), as_dict=True), "kid": "ed"},
        ]

    def document(self, path: str) -> dict | None:
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        if path == "/keys" and not self.is_broken:
            self.asked += 1
            return {"keys": self.keys}
        return None

    def claims(self, **changes) -> dict:
        now = int(time())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "alice",
            "iat": now,
            "exp": now + 600,
            "scope": "openid predict:flights",
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, algorithm: str = "RS256", kid: str | None = None, **changes) -> str:
        name, key = {
            "RS256": ("rsa", self.rsa),
            "ES256": ("ec", self.ec),
            "EdDSA": ("ed", self.ed),
        }[algorithm]
        return jwt.encode(
            self.claims(**changes), key, algorithm=algorithm, headers={"kid": kid or name}
        )

    def unsigned(self) -> str:
        return _join({"alg": "none", "kid": "rsa"}, self.claims(), b"")

    def signed_with_the_public_key(self) -> str:
        """Return a token whose secret of HS256 is the public key, which everybody knows."""
        pem = self.rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        header = {"alg": "HS256", "kid": "rsa"}
        body = _join(header, self.claims(), b"").rpartition(".")[0]
        return f"{body}.{_encode(hmac.digest(pem, body.encode(), hashlib.sha256))}"


@contextmanager
def serve_issuer() -> Iterator[Issuer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            document = issuer.document(self.path)
            self.send_response(503 if document is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *_):
            pass

    with serve(Handler) as url:
        issuer = Issuer(url)
        yield issuer


@contextmanager
def serve(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Answer HTTP on this machine until the end of the context; return the URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _join(header: dict, claims: dict, signature: bytes) -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(map(_encode, parts))


def _encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()
