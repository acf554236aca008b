"""`modstream joiner`: runs the joiner service until Ctrl-C or SIGTERM."""

import typer

from modstream import logs
from modstream.cli.options import StreamArgument
from modstream.cli.service import follow_stack, wait_until_ready
from modstream.rights.rights import Role
from modstream.services.joiner import run_joiner
from modstream.settings import Settings, load_settings
from modstream.telemetry.open import open_metrics
from modstream.telemetry.traces.open import open_tracing


def joiner(stream: StreamArgument = None) -> None:
    """Join late labels with the predictions they belong to, until Ctrl-C or SIGTERM."""

    def load() -> Settings:
        return load_settings(stream=stream)

    logs.configure(load())
    if (settings := wait_until_ready(load, Role.JOINER, needs_redis=False)) is None:
        return
    instance = settings.joiner.instance_id or ""
    with (
        follow_stack(settings, load),
        open_metrics(settings, "joiner", instance) as metrics,
        open_tracing(settings, "joiner", instance) as tracing,
    ):
        code = run_joiner(settings, metrics, tracing)
    raise typer.Exit(code)
