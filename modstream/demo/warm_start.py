"""The features of the stream as they are when the replay begins: what had happened by then."""

from collections.abc import Iterable, Iterator

import pandas as pd

from modstream.broker.wire.topics import Topics
from modstream.demo.feature_events import (
    board_events,
    label_events,
    request_events,
)
from modstream.features.backfill import write_updates
from modstream.processors.aggregate.updates import BACKFILL, PartialUpdate, UpdateCodec
from modstream.processors.features.events import LABELS, REQUESTS, Event
from modstream.processors.features.feature_set import FeatureSet
from modstream.processors.features.state import FeatureState
from modstream.settings import Settings


def write_warm_start(
    settings: Settings,
    features: FeatureSet,
    flights: pd.DataFrame,
    board: pd.DataFrame | None,
    start_ms: int,
) -> int:
    """Write what the features count of the time before `start_ms`; return the number of values.

    An aggregator and the workers that start afterwards go on from there.
    """
    topics = settings.topics()
    codec = UpdateCodec(topics.features, features.aggregations)
    events = known_events(features, flights, board, start_ms)
    updates = warm_updates(features, topics, events, start_ms)
    write_updates(settings, [codec.encode(one) for one in updates])
    return len(updates)


def known_events(
    features: FeatureSet, flights: pd.DataFrame, board: pd.DataFrame | None, start_ms: int
) -> Iterator[Event]:
    """Yield the events before a time (ms) that a window of a feature can still reach.

    Flights in the air are left out, with their requests: their labels are not replayed.
    """
    first_ms = start_ms - max(one.window + one.slice_ms for one in features.definitions)
    recent = flights[(flights["scheduled_ms"] >= first_ms) & (flights["scheduled_ms"] < start_ms)]
    landed = recent["landed_ms"]
    yield from request_events(recent[landed.isna() | (landed < start_ms)])
    yield from (event for _, event in label_events(recent[landed < start_ms]))
    if board is not None:
        shown = board[(board["time"] >= first_ms) & (board["time"] < start_ms)]
        yield from (event for _, event in board_events(shown))


def warm_updates(
    features: FeatureSet, topics: Topics, events: Iterable[Event], start_ms: int
) -> list[PartialUpdate]:
    """Return the partial aggregates of events, without those that are out of reach at a time (ms).

    They are those of a backfill, each of the first partition of its source, so that an aggregator
    removes them when they expire.
    """
    sources = {REQUESTS: topics.predictions, LABELS: topics.feedback}
    sources |= {name: one.topic for name, one in features.sources.items()}
    owners = {name: f"{BACKFILL}{topic}:0" for name, topic in sources.items()}
    state = FeatureState(features)
    for event in events:
        for key, partial in features.contributions(event):
            state.merge(owners[event.source], key, partial)
    state.expire(start_ms)
    return [
        PartialUpdate(owner, key, partial)
        for owner in state.owners
        for key, partial in state.items(owner)
    ]
