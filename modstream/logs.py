"""Structured logs: JSON lines for machines, coloured lines for a terminal."""

import logging
import sys
from typing import TextIO

import structlog

from modstream.settings import Settings

CHATTY = {
    "faust": "WARNING",
    "mode": "WARNING",
    "aiokafka": "WARNING",
    "stamina": "ERROR",
    "librdkafka": "ERROR",
}
"""Libraries that tell at their own least level what is no news to anybody."""


def quiet() -> None:
    """Let a short command speak for itself: of what libraries log only errors are shown."""
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def configure(settings: Settings, to: TextIO | None = None, least: str | None = None) -> None:
    """Send structlog's and the standard library's records through one formatter.

    They go to standard error, or to a file where a live view has the terminal. `least` is the
    least level that is told, by default the settings'.
    """
    stream = to or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    terminal = stream.isatty()
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if settings.log_format == "console" or (settings.log_format == "auto" and terminal):
        renderer = structlog.dev.ConsoleRenderer(colors=terminal)
    structlog.configure(
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel((least or settings.log_level).upper())
    for name, level in CHATTY.items():
        logging.getLogger(name).setLevel(level)
