"""The command-line interface `modstream`."""

import os
import sys
from io import TextIOWrapper
from traceback import format_exc

from rich.text import Text

from modstream import logs
from modstream.broker.errors import BrokerError
from modstream.cli.app import app
from modstream.cli.extras import missing_extra
from modstream.errors import StackError
from modstream.models.errors import ModelError
from modstream.process.gc_tuning import skip_gc_at_exit
from modstream.processors.errors import ProcessorError
from modstream.producers.errors import ProducerError
from modstream.terminal import SafeConsole, escape_controls

USAGE_ERROR = 2


def main() -> None:
    """Run a command; modstream's own errors are printed as one message, without a traceback."""
    logs.show_errors_only()
    _allow_any_text()
    skip_gc_at_exit()
    _refuse_undecodable_arguments()
    try:
        app()
    except (BrokerError, ModelError, ProcessorError, ProducerError, StackError) as error:
        _print_error(error)
        raise SystemExit(1) from None
    except ModuleNotFoundError as error:
        if (missing := missing_extra(error)) is None:
            raise
        _print_error(missing)
        raise SystemExit(1) from None
    except BrokenPipeError:
        # The reader has closed the pipe. Without this, Python reports it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except Exception:  # noqa: BLE001 - a defect, whose traceback may quote a record
        sys.stderr.write(escape_controls(format_exc()))
        raise SystemExit(1) from None


def _refuse_undecodable_arguments() -> None:
    """Exit if an argument is not UTF-8: Python has lone surrogates in place of its bytes."""
    for argument in sys.argv[1:]:
        try:
            argument.encode()
        except UnicodeEncodeError:
            shown = argument.encode(errors="backslashreplace").decode()
            _print_error(f"the argument {shown} is not UTF-8: use a terminal with that encoding")
            raise SystemExit(USAGE_ERROR) from None


def _print_error(message: object) -> None:
    """Print an error as one message; nothing in it is markup or steers the terminal."""
    line = Text.assemble(("modstream:", "bold red"), f" {escape_controls(str(message))}")
    SafeConsole(to_stderr=True, soft_wrap=True).print(line, highlight=False)


def _allow_any_text() -> None:
    """Let no character of a path or a record stop the output or the input.

    Input that is not UTF-8 has lone surrogates in place of the bytes, which are rejected where they
    are parsed, and escaped where they are printed.
    """
    for stream, errors in (
        (sys.stdin, "surrogateescape"),
        (sys.stdout, "backslashreplace"),
        (sys.stderr, "backslashreplace"),
    ):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=errors)
