"""The features of the flights' stream: their definitions, events, and values for training."""

from collections.abc import Iterator
from heapq import merge
from operator import itemgetter
from pathlib import Path

import numpy as np
import pandas as pd

from modstream.models import examples
from modstream.models.evaluation.arrays import FloatArray
from modstream.processors.features.backfill import RecordedRequests, backfill
from modstream.processors.features.definition import KEY
from modstream.processors.features.events import LABELS, REQUESTS, Event
from modstream.processors.features.feature_set import FeatureSet
from modstream.producers.replay.flights import CATEGORIES, FEATURES

EXAMPLES = Path(examples.__file__).parent
LABEL_FEATURES = EXAMPLES / "flights_features.toml"
"""Features of labels: late rates and counts, and flights that should have landed."""
BOARD_FEATURES = EXAMPLES / "flights_board_features.toml"
"""The same, and features of the board of departures and landings."""
EARLY_BOARD_FEATURES = EXAMPLES / "flights_early_board_features.toml"
"""Those for a board that is sent ahead, in slices of a minute."""
BOARD = "board"
"""The name of the board among the sources of the second file."""
LABEL_FIELDS = ("origin", "carrier", "dest", "distance")
ArrivingEvents = Iterator[tuple[int, Event]]
"""The arrival (ms) of each event, and the event, in the order of their arrival."""


def label_events(flights: pd.DataFrame, shift: int = 0) -> ArrivingEvents:
    """Yield the labels in the order of their landings, each `shift` ms after it."""
    landed = flights[flights["late"].notna()].sort_values(["landed_ms", "id"])
    names = ("landed_ms", "scheduled_ms", "id", "late", *LABEL_FIELDS, "key")
    for time, scheduled, name, late, *fields in zip(
        *(landed[one].tolist() for one in names), strict=True
    ):
        values = dict(zip((*LABEL_FIELDS, KEY), fields, strict=True))
        yield time + shift, Event(LABELS, time + shift, name, values, late, scheduled)


def board_events(board: pd.DataFrame) -> ArrivingEvents:
    """Yield the departures and landings in the order of their times."""
    names = ("kind", "minutes", *CATEGORIES)
    columns = [board[one].tolist() for one in ("time", "scheduled_ms", "id", *names)]
    for time, scheduled, name, *fields in zip(*columns, strict=True):
        values = dict(zip(names, fields, strict=True))
        yield time, Event(BOARD, time, name, values, None, scheduled)


def request_events(flights: pd.DataFrame) -> Iterator[Event]:
    """Yield the requests in the order of the scheduled departures."""
    names = ("scheduled_ms", "id", *FEATURES, "key")
    for time, name, *fields in zip(*(flights[one].tolist() for one in names), strict=True):
        yield Event(REQUESTS, time, name, dict(zip((*FEATURES, KEY), fields, strict=True)))


def computed(
    features: FeatureSet, flights: pd.DataFrame, board: pd.DataFrame | None = None, shift: int = 0
) -> dict[str, FloatArray]:
    """Return the features of flights by name, each (n,), as known at their scheduled departures.

    Args:
        features: the features to compute.
        flights: in the order of their scheduled departures.
        board: all departures and landings, if there are features of them.
        shift: how long after the landing a label is known, in ms.
    """
    events = label_events(flights, shift)
    if board is not None:
        events = merge(events, board_events(board), key=itemgetter(0))
    times = flights["scheduled_ms"].to_numpy(np.int64)
    columns = {name: flights[name].tolist() for name in FEATURES}
    columns[KEY] = flights["key"].tolist()
    requests = RecordedRequests(flights["id"].tolist(), columns, times, times)
    return backfill(features, events, requests)
