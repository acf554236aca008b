"""A joiner: joins late labels with the predictions they belong to."""

from dataclasses import replace

from modstream.processors.join.faust.app import build_app, run
from modstream.settings import Settings


def run_joiner(settings: Settings) -> int:
    """Join until SIGTERM or Ctrl-C; returns the exit code, 0 after a stop in order."""
    folder = settings.home / "joiner"
    folder.mkdir(parents=True, exist_ok=True)
    joiner = replace(settings.joiner, partitions=settings.partitions, data_dir=folder)
    return run(build_app(settings.connection, settings.topics(), joiner))
