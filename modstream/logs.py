"""Structured logging: JSON lines for machines, coloured lines for a terminal."""

import logging
import sys
from typing import TextIO

import structlog

from modstream.settings import Settings
from modstream.terminal import escape_controls

LIBRARY_LEVELS = {
    "faust": "WARNING",
    "mode": "WARNING",
    "aiokafka": "WARNING",
    "modstream.processors.join.faust": "WARNING",  # Faust logs under the names of our modules.
    "stamina": "ERROR",
    "librdkafka": "ERROR",
    "uvicorn": "WARNING",
}
"""Minimum levels of libraries whose lower levels carry nothing that users need."""
TERMINAL_LEVELS = {"aiokafka": "CRITICAL", "librdkafka": "CRITICAL"}
"""Minimum levels on a terminal: during an outage these libraries log many lines per second, and the
services say themselves that Kafka does not answer."""


def show_errors_only() -> None:
    """Show only errors of the libraries, so that a short command's own output is not disturbed."""
    handler = logging.StreamHandler()
    handler.setFormatter(_SafeFormatter("%(message)s"))
    logging.basicConfig(level=logging.ERROR, handlers=[handler])
    # A command says itself that it has lost its broker, in one sentence.
    logging.getLogger("librdkafka").setLevel(logging.CRITICAL)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S"),
            structlog.processors.format_exc_info,
            escape_event,
            structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty()),
        ],
    )


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
    is_console = {"console": True, "auto": is_terminal}.get(settings.log_format, False)
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if is_console:
        renderer = structlog.dev.ConsoleRenderer(colors=is_terminal, pad_event_to=0)
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
                *([_shorten, escape_event] if is_console else []),
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel((min_level or settings.log_level).upper())
    for name, level in (LIBRARY_LEVELS | (TERMINAL_LEVELS if is_terminal else {})).items():
        logging.getLogger(name).setLevel(level)


def escape_event(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Escape what would steer the terminal in the texts of a log record, and in other values."""
    return {escape_controls(str(name)): _escape(value) for name, value in event.items()}


def _escape(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    return escape_controls(value if isinstance(value, str) else repr(value))


class _SafeFormatter(logging.Formatter):
    """Formats records of libraries as text that does not steer the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return escape_controls(super().format(record))


def _shorten(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Leave out what a person does not need, so that a line fits a terminal of 80 columns.

    The time is that of the day, UTC. The level is left out if it is `info`.
    """
    event.pop("logger", None)
    event["timestamp"] = event["timestamp"][11:19]
    if event.get("level") == "info":
        del event["level"]
    return event
