"""Settings of the gateway, apart from it so that they import no web server."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Where the gateway listens, how long it waits (in seconds), and how much it accepts."""

    host: str = "127.0.0.1"
    """Address to listen on. Any other than a loopback address needs API keys or OpenID Connect."""
    port: int = 8080
    """Port of HTTP; 0 chooses a free one."""
    grpc_port: int = 8081
    """Port of gRPC; 0 chooses a free one, -1 serves no gRPC."""
    streams: tuple[str, ...] = ()
    """Streams whose workers may be asked, besides the stream of the command."""
    timeout: float = 10.0
    """How long a caller waits for an answer if it does not say so itself."""
    max_timeout: float = 300.0
    """The longest time for which a caller may wait."""
    max_in_flight: int = 512
    """Maximum number of requests that wait for their answers; further ones are refused with 429.
    The gateway admits fewer when answers become slow, down to `min_in_flight`."""
    min_in_flight: int = 64
    """Number of requests that may wait however slow the answers are."""
    max_in_flight_bytes: int = 64 * 1024 * 1024
    """Maximum size of the requests that wait for their answers, in bytes."""
    max_body_bytes: int = 16 * 1024 * 1024
    """Maximum size of a body, compressed and uncompressed, in bytes. A stream's workers may accept
    less (`max_request_bytes`)."""
    worker_check_interval: float = 1.0
    """How often the gateway looks whether a stream has workers."""
    idempotency_hours: int = 7 * 24
    """How long an `Idempotency-Key` is remembered, in hours."""
    api_keys: Path | None = None
    """File of the API keys, written by `modstream keys`; without it, Redis has them."""
    require_key: bool = False
    """Whether callers need a key even if there is none yet. They do anyway as soon as there is one,
    with a file of keys, with an issuer of tokens, and on any other than a loopback address."""
    tls_certificate: Path | None = None
    """File of the certificate chain in PEM; with it, HTTP and gRPC are served over TLS."""
    tls_key: Path | None = None
    """File of the certificate's private key in PEM."""
    oidc_issuer: str = ""
    """Issuer of OpenID Connect tokens that are accepted beside API keys, as an https address; empty
    for none."""
    oidc_audience: str = ""
    """The audience that such a token must name."""
