"""Structured logging: JSON lines for machines, coloured lines for a terminal."""

import logging
import sys
from typing import TextIO

import structlog

from modstream.settings import Settings

LIBRARY_LEVELS = {
    "faust": "WARNING",
    "mode": "WARNING",
    "aiokafka": "WARNING",
    "stamina": "ERROR",
    "librdkafka": "ERROR",
}
"""Minimum levels of libraries whose lower levels carry nothing that users need."""


def show_errors_only() -> None:
    """Show only errors of the libraries, so that a short command's own output is not disturbed."""
    logging.basicConfig(level=logging.ERROR, format="%(message)s")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def configure(
    settings: Settings, stream: TextIO | None = None, min_level: str | None = None
) -> None:
    """Send the log records of structlog and of the standard library through one formatter.

    Args:
        settings: their `log_format` and `log_level` apply.
        stream: where the log goes, such as a file while a live view uses the terminal; by default
            standard error.
        min_level: minimum level that is logged, instead of the one in the settings.
    """
    stream = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    is_terminal = stream.isatty()
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if settings.log_format == "console" or (settings.log_format == "auto" and is_terminal):
        renderer = structlog.dev.ConsoleRenderer(colors=is_terminal)
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
    root.setLevel((min_level or settings.log_level).upper())
    for name, level in LIBRARY_LEVELS.items():
        logging.getLogger(name).setLevel(level)
