"""The command line: `modstream --help` explains itself."""

import os
import sys

from rich.console import Console

from modstream import logs
from modstream.broker.errors import BrokerError
from modstream.cli.app import app
from modstream.errors import StackError
from modstream.models.errors import ModelError
from modstream.process.gc_tuning import uncollected_at_exit
from modstream.processors.errors import ProcessorError
from modstream.producers.errors import ProducerError


def main() -> None:
    """Run a command; what goes wrong is one sentence on standard error, never a traceback."""
    logs.quiet()
    uncollected_at_exit()
    try:
        app()
    except (BrokerError, ModelError, ProcessorError, ProducerError, StackError) as error:
        Console(stderr=True, soft_wrap=True).print(
            f"[bold red]modstream:[/] {error}", highlight=False
        )
        raise SystemExit(1) from None
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
