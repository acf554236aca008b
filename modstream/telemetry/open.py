"""Opening of a process's metrics, as the settings ask for."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import structlog
from prometheus_client import CollectorRegistry

from modstream.metrics_settings import METRICS_OFF
from modstream.settings import Settings
from modstream.telemetry.discovery import announce
from modstream.telemetry.process import NO_METRICS, ProcessMetrics
from modstream.telemetry.server import PATH, serve_metrics


@contextmanager
def open_metrics(settings: Settings, service: str, part: str = "") -> Iterator[ProcessMetrics]:
    """Yield the metrics of this process, served as long as the context; none if they are off.

    Args:
        settings: the group `metrics` says where they are served.
        service: what the process is, such as `worker`.
        part: what tells it from others of its kind: an instance id, a model, a port.

    Raises:
        MetricsAddressTaken: the address cannot be listened on.
    """
    if settings.metrics.port == METRICS_OFF:
        yield NO_METRICS
        return
    registry = CollectorRegistry()
    metrics = ProcessMetrics.of(registry)
    group, log = settings.topics().group(service), structlog.get_logger(__name__)
    name = f"{group}-{part}" if part else group
    with ExitStack() as stack:
        address = stack.enter_context(serve_metrics(registry, settings.metrics))
        labels = {"service": service, "stream": settings.stream}
        try:
            stack.enter_context(announce(settings.home, name, address, labels))
        except OSError as error:
            log.warning("metrics not announced", cause=str(error))
        log.info("metrics ready", url=f"http://{address}{PATH}")
        yield metrics
