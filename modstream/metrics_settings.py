"""The settings of Prometheus metrics; this module imports no other of modstream."""

from dataclasses import dataclass

METRICS_OFF = -1
"""The port with which a process serves no metrics."""


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """Where each process serves its Prometheus metrics: `GET /metrics` on a port of its own."""

    host: str = "127.0.0.1"
    """Address to listen on. Metrics need no key, so on any other than a loopback address all who
    reach it can read them."""
    port: int = METRICS_OFF
    """Port of each process; -1 serves no metrics, 0 chooses a free port. Several processes with the
    same settings on one machine need 0: Prometheus finds their ports in the files `metrics/*.json`
    of the home directory."""

    def __post_init__(self) -> None:
        """Check the port."""
        if not METRICS_OFF <= self.port <= 65_535:
            raise ValueError("a port is a number from 0 to 65535, or -1 for no metrics")
