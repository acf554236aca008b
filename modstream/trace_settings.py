"""The settings of OpenTelemetry traces; this module imports no other of modstream."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TracingSettings:
    """OpenTelemetry traces of requests, sent by OTLP over HTTP.

    The variables `OTEL_EXPORTER_OTLP_*`, `OTEL_BSP_*`, `OTEL_SERVICE_NAME` and
    `OTEL_RESOURCE_ATTRIBUTES` apply, too. The extra `tracing` has the libraries.
    """

    enabled: bool = False
    """Whether processes record and send traces."""
    sample_ratio: float = 0.01
    """Share, 0 to 1, of the calls without a `traceparent` for which a trace begins. Calls with one
    are traced if it says that they are sampled."""
    endpoint: str = ""
    """Base URL of the collector, to which `/v1/traces` is added; by default that of the variable
    `OTEL_EXPORTER_OTLP_ENDPOINT`, or else http://localhost:4318."""

    def __post_init__(self) -> None:
        """Check the values."""
        if not 0 <= self.sample_ratio <= 1:
            raise ValueError("a share is a number from 0 to 1")
        if self.endpoint and not self.endpoint.startswith(("http://", "https://")):
            raise ValueError("the endpoint is a URL that begins with http:// or https://")
