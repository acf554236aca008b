"""`modstream materializer`: runs the materializer service until Ctrl-C or SIGTERM."""

from modstream import logs
from modstream.cli.options import StreamArgument
from modstream.cli.service import follow_stack, wait_until_ready
from modstream.process.signals import stop_signals
from modstream.process.slots import claim_stream
from modstream.rights.rights import Role
from modstream.services.materializer import run_materializer
from modstream.settings import Settings, load_settings
from modstream.telemetry.open import open_metrics


def materializer(stream: StreamArgument = None) -> None:
    """Keep the newest prediction of each key in a store, until Ctrl-C or SIGTERM.

    The store is the Redis of the model registry, or what
    MODSTREAM_PREDICTION_STORE__URL names; `modstream lookup` reads it.
    """

    def load() -> Settings:
        return load_settings(stream=stream)

    logs.configure(load())
    with claim_stream(load(), "materializer"):
        if (settings := wait_until_ready(load, Role.MATERIALIZER)) is None:
            return
        with (
            follow_stack(settings, load),
            stop_signals() as stop,
            open_metrics(settings, "materializer") as metrics,
        ):
            run_materializer(settings, stop, metrics)
