"""`modstream watch`: the live view of any running stream."""

from threading import Event
from time import time

from rich.console import Console

from modstream.broker.client.admin import Admin
from modstream.cli.names import open_models
from modstream.cli.options import RouteOption, StreamArgument
from modstream.cli.output import stdout
from modstream.cli.servers import require_stream
from modstream.cli.time_options import SinceOption, format_time
from modstream.live.follower import LagSampler, TopicFollower, followed_topics
from modstream.live.keys import quit_key
from modstream.live.rolling_stats import HISTORY_SECONDS, RollingStats
from modstream.live.view import LiveView, ViewSources
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.process.signals import stop_signals
from modstream.registry.card_lookup import card_finder
from modstream.settings import Settings, load_settings


def watch(
    stream: StreamArgument = None, models: RouteOption = None, since: SinceOption = None
) -> None:
    """Show a running stream until q or Ctrl-C: rates, latency, labels, lag, versions and AUC.

    Counts begin at --since, by default a minute ago. The stream is not affected: the command joins
    no consumer group and writes no record. Without a terminal, a line is printed every 5 s.
    """
    settings = load_settings(stream=stream, route=tuple(models) if models else None)
    require_stream(settings)
    begin = int((time() - HISTORY_SECONDS) * 1000) if since is None else since
    title = f"{settings.stream} since {format_time(begin)}"
    with stop_signals() as stop, quit_key(stop) as has_keys:
        watch_stream(settings, begin, stop, stdout, f"{title}   q ends" if has_keys else title)


def watch_stream(settings: Settings, begin: int, stop: Event, console: Console, title: str) -> None:
    """Show a stream's records from `begin` (ms since the epoch) on, until `stop` is set.

    Raises:
        TopicMissing: a topic of the stream does not exist.
    """
    connection, topics = settings.connection, settings.topics()
    start = Admin(connection).offsets_since(followed_topics(topics), begin)
    with (
        open_models(settings) as registry,
        TopicFollower(
            *(connection, topics),
            stats := RollingStats(
                topics, settings.models, versions=VersionClasses(card_finder(registry))
            ),
            start,
        ),
        LagSampler(connection, topics, publishes=False) as sampler,
        LiveView(ViewSources(stats, lambda: sampler.latest, title=title), console),
    ):
        stop.wait()
