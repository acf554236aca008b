"""Opening of a process's traces, as the settings ask for."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from modstream.errors import TracingUnavailable
from modstream.settings import Settings
from modstream.telemetry.traces.ports import NO_TRACING, ProcessTracing


@contextmanager
def open_tracing(settings: Settings, service: str, part: str = "") -> Iterator[ProcessTracing]:
    """Yield the tracing of this process. If it is off, no library of OpenTelemetry is imported.

    Args:
        settings: the group `tracing` says whether traces are on, and where they go.
        service: what the process is, such as `worker`.
        part: what tells it from others of its kind: an instance id, a model, a port.

    Raises:
        TracingUnavailable: the libraries of the extra `tracing` are not installed.
        InvalidSettings: a variable of OpenTelemetry has an invalid value.
    """
    if not settings.tracing.enabled:
        yield NO_TRACING
        return
    try:
        from modstream.telemetry.traces.provider import (  # noqa: PLC0415 - an extra
            exported_tracing,
        )
    except ImportError as error:
        raise TracingUnavailable(str(error)) from None
    group = settings.topics().group(service)
    name = f"{group}-{part}" if part else group
    with exported_tracing(settings.tracing, service, name, settings.stream) as tracing:
        ratio = settings.tracing.sample_ratio
        structlog.get_logger(__name__).info("traces are on", sample_ratio=ratio)
        yield tracing
