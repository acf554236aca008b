"""The collector that spans are sent to: its address, and what a request to it needs.

The variables are those of the OpenTelemetry specification, with the timeout in seconds, as in all
Python exporters: https://opentelemetry.io/docs/specs/otel/protocol/exporter/.
"""

import gzip
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, OpenerDirector, Request, build_opener

from opentelemetry.util.re import parse_env_headers

from modstream.errors import InvalidSettings

DEFAULT_ENDPOINT = "http://localhost:4318"
PATH = "/v1/traces"
DEFAULT_SECONDS = 10.0
PREFIX = "OTEL_EXPORTER_OTLP_"


@dataclass(frozen=True, slots=True)
class Collector:
    """A collector that takes spans by OTLP over HTTP.

    Attributes:
        url: where the spans are posted to.
        headers: further headers of each request, such as one with a key.
        seconds: how long a request may take.
        is_compressed: whether bodies are compressed by gzip.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = DEFAULT_SECONDS
    is_compressed: bool = False
    opener: OpenerDirector = field(default_factory=build_opener)

    @classmethod
    def of(cls, endpoint: str, environment: Mapping[str, str]) -> "Collector":
        """Return the collector that a setting or the environment names.

        Args:
            endpoint: base URL from the settings; empty to take that of the environment.
            environment: its variables `OTEL_EXPORTER_OTLP_TRACES_*` come before those that apply to
                all signals.

        Raises:
            InvalidSettings: a variable has an invalid value.
        """

        def value(name: str) -> str:
            return environment.get(f"{PREFIX}TRACES_{name}") or environment.get(PREFIX + name, "")

        base = endpoint or environment.get(f"{PREFIX}ENDPOINT", "") or DEFAULT_ENDPOINT
        own = "" if endpoint else environment.get(f"{PREFIX}TRACES_ENDPOINT", "")
        url = own or base.rstrip("/") + PATH
        if urlsplit(url).scheme not in {"http", "https"}:
            raise InvalidSettings([f"{PREFIX}ENDPOINT: {url!r} is not a URL of HTTP"])
        try:
            seconds = float(value("TIMEOUT") or DEFAULT_SECONDS)
            trust = ssl.create_default_context(cafile=value("CERTIFICATE") or None)
            if certificate := value("CLIENT_CERTIFICATE"):
                trust.load_cert_chain(certificate, value("CLIENT_KEY") or None)
        except (ValueError, OSError) as error:
            raise InvalidSettings([f"{PREFIX}*: {error}"]) from None
        return cls(
            url,
            parse_env_headers(value("HEADERS"), liberal=True),
            seconds,
            value("COMPRESSION").strip().lower() == "gzip",
            build_opener(HTTPSHandler(context=trust)),
        )

    def post(self, body: bytes, seconds: float) -> None:
        """Send a request of OTLP.

        Args:
            body: a serialized `ExportTraceServiceRequest`.
            seconds: how long the request may take.

        Raises:
            HTTPError: the collector refuses it.
            OSError: the collector does not answer.
        """
        headers = {"Content-Type": "application/x-protobuf", **self.headers}
        if self.is_compressed:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, 1)
        request = Request(self.url, body, headers)  # noqa: S310 - `of` has checked the scheme
        try:
            with self.opener.open(request, timeout=seconds) as answer:
                answer.read()
        except HTTPError as refusal:
            refusal.close()  # It holds the connection.
            raise
