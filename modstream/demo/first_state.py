"""What is there when the replay begins: topics, first versions, and features of the time before."""

from dataclasses import dataclass

import pandas as pd

from modstream.broker.client.admin import Admin
from modstream.broker.wire.topics import TopicSpec
from modstream.demo.family import seed_family, training_table
from modstream.demo.feature_events import BOARD, EARLY_BOARD_FEATURES, LABEL_FEATURES
from modstream.demo.plan import DemoPlan
from modstream.demo.seed import seed
from modstream.demo.warm_start import write_warm_start
from modstream.features.definitions import open_definitions
from modstream.models.registry.registry import Registry
from modstream.models.training.search import ProgressCallback
from modstream.processors.features.feature_set import FeatureSet
from modstream.processors.features.files import parse_features
from modstream.producers.replay.flights import load_board, load_flights
from modstream.settings import Settings


@dataclass(frozen=True, slots=True)
class DemoData:
    """What is replayed: flights, and the board with its topic, if there is one.

    `event_time_range` are the scheduled departures (ms) of the first and the last flight.
    """

    flights: pd.DataFrame
    board: pd.DataFrame | None
    board_topic: str
    event_time_range: tuple[int, int]


def prepare_stream(
    settings: Settings, registry: Registry, plan: DemoPlan, notify: ProgressCallback
) -> DemoData:
    """Create the topics, publish models and features, and return what is replayed.

    Raises:
        DatasetMissing: the package with the flights is not installed.
        ModelError: a model could not be exported or published.
    """
    flights = load_flights()
    board = load_board(has_early=True) if plan.board else None
    content = feature_definitions(settings, board=plan.board)
    features = parse_features(content, "the demo's features")
    first, last = event_times(flights, plan)
    notify("computing features of January to March", 0.2)
    seed_family(settings, registry, training_table(features, flights, board), notify)
    seed(settings, registry, lambda: flights, notify)
    topic = create_board_topic(settings, features)
    with open_definitions(settings) as table:
        table.write(content)
    notify("counting what was before", 0.5)
    write_warm_start(settings, features, flights, board, first)
    return DemoData(flights, board, topic, (first, last))


def feature_definitions(settings: Settings, *, board: bool) -> bytes:
    """Return the definitions as they are published; the board's topic has the stream's prefix."""
    content = (EARLY_BOARD_FEATURES if board else LABEL_FEATURES).read_bytes()
    return content.replace(b'topic = "', f'topic = "{settings.prefix}'.encode())


def create_board_topic(settings: Settings, features: FeatureSet) -> str:
    """Create the topic of the board and return its name; an empty one without features of it."""
    if BOARD not in features.sources:
        return ""
    topic = features.sources[BOARD].topic
    Admin(settings.connection).create([TopicSpec(topic, settings.partitions)])
    return topic


def event_times(flights: pd.DataFrame, plan: DemoPlan) -> tuple[int, int]:
    """Return the event time (ms) of the first and the last flight of a plan."""
    days = flights["date"]
    start, end = pd.Timestamp(plan.start), pd.Timestamp(plan.end)
    times = flights["scheduled_ms"][(days >= start) & (days < end)]
    return int(times.iloc[0]), int(times.iloc[-1])
