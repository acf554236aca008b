"""An OpenID provider on this machine that issues tokens for client ids and their secrets."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from time import time
from urllib.parse import parse_qs

from tests.producers.gateway.issuer import Issuer, serve


class TokenIssuer(Issuer):
    """Its keys and clients; `issued` counts its tokens."""

    def __init__(self, url: str, secrets: Mapping[str, str]) -> None:
        super().__init__(url)
        self.keys = self.keys[:1]  # RSA, which every version of Kafka verifies.
        self.secrets, self.issued, self.life_s = secrets, 0, 600

    def answer(self, login: str, form: dict[str, list[str]]) -> dict | None:
        """Return the answer to a request for a token; None if the client is not known."""
        kind, _, encoded = login.partition(" ")
        name, _, secret = base64.b64decode(encoded).decode().partition(":")
        is_known = kind == "Basic" and self.secrets.get(name) == secret
        if not is_known or form.get("grant_type") != ["client_credentials"]:
            return None
        self.issued += 1
        token = self.token(aud="kafka", sub=name, exp=int(time()) + self.life_s)
        return {"access_token": token, "token_type": "Bearer", "expires_in": self.life_s}


@contextmanager
def serve_tokens(secrets: Mapping[str, str]) -> Iterator[TokenIssuer]:
    """Serve keys at `/keys`, and tokens at `/token`, until the end of the context."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.reply(issuer.document(self.path), 503)

        def do_POST(self):
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            found = issuer.answer(self.headers.get("Authorization", ""), form)
            self.reply(found if self.path == "/token" else {"status": "up"}, 401)

        def reply(self, document, refusal):
            body = json.dumps(document).encode()
            self.send_response(refusal if document is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with serve(Handler) as url:
        issuer = TokenIssuer(url, secrets)
        yield issuer
