"""The command-line interface `modstream`."""

import os
import sys

from rich.console import Console

from modstream import logs
from modstream.broker.errors import BrokerError
from modstream.cli.app import app
from modstream.errors import StackError
from modstream.models.errors import ModelError
from modstream.process.gc_tuning import skip_gc_at_exit
from modstream.processors.errors import ProcessorError
from modstream.producers.errors import ProducerError


def main() -> None:
    """Run a command; modstream's own errors are printed as one message, without a traceback."""
    logs.show_errors_only()
    skip_gc_at_exit()
    try:
        app()
    except (BrokerError, ModelError, ProcessorError, ProducerError, StackError) as error:
        Console(stderr=True, soft_wrap=True).print(
            f"[bold red]modstream:[/] {error}", highlight=False
        )
        raise SystemExit(1) from None
    except BrokenPipeError:
        # The reader has closed the pipe. Without this, Python reports it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
