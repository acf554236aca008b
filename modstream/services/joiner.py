"""The joiner service: joins late labels with their predictions."""

from dataclasses import replace

from modstream.processors.join.faust.app import build_app
from modstream.processors.join.faust.run import run_app
from modstream.settings import Settings


def run_joiner(settings: Settings) -> int:
    """Join until SIGTERM or Ctrl-C; return the exit code, 0 after a normal stop."""
    folder = settings.home / "joiner"
    folder.mkdir(parents=True, exist_ok=True)
    joiner = replace(settings.joiner, partitions=settings.partitions, data_dir=folder)
    return run_app(build_app(settings.connection, settings.topics(), joiner))
