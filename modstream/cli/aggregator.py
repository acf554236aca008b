"""`modstream aggregator`: runs the aggregator service until Ctrl-C or SIGTERM."""

from modstream import logs
from modstream.cli.options import StreamArgument
from modstream.cli.service import follow_stack, wait_until_ready
from modstream.process.signals import stop_signals
from modstream.process.slots import claim_stream
from modstream.rights.rights import Role
from modstream.services.aggregator import run_aggregator
from modstream.settings import Settings, load_settings
from modstream.telemetry.open import open_metrics


def aggregator(stream: StreamArgument = None) -> None:
    """Compute the features of a stream from its events, until Ctrl-C or SIGTERM.

    `modstream features publish` says what they are; without that, the service waits.
    """

    def load() -> Settings:
        return load_settings(stream=stream)

    logs.configure(load())
    with claim_stream(load(), "aggregator"):
        if (settings := wait_until_ready(load, Role.AGGREGATOR)) is None:
            return
        with (
            follow_stack(settings, load),
            stop_signals() as stop,
            open_metrics(settings, "aggregator") as metrics,
        ):
            run_aggregator(settings, stop, metrics)
