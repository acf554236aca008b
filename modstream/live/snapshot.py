"""The statistics of a running stream at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass

from modstream.broker.wire.model_contracts import ModelEvent


@dataclass(frozen=True, slots=True)
class StatsWindow:
    """The window of the statistics: `seconds` for rates and latency, `labels` for AUC.

    Latency is measured on every `sample_every`-th request of each partition, by the response of
    the route's first model; at most `max_pending` of these requests are waited for at a time.
    """

    seconds: int = 5
    labels: int = 5000
    sample_every: int = 8
    max_pending: int = 20_000


@dataclass(frozen=True, slots=True)
class LiveSnapshot:
    """The statistics at one moment: rates per second, latency in ms, NaN for unknown values.

    `labels` counts the labels sent, `joined` the rows that have got theirs, `unjoined` the labels
    that could not be joined, and `missing` the predictions whose label has not arrived in time.
    `auc` covers the window's labels. `versions` are the newest that responded, `swaps` counts the
    changes to a new version, and `history` has the requests per second of the last minute.
    `decisions` are the newest ones of the promotion gate, oldest first.
    """

    requests: int
    request_rate: float
    history: tuple[int, ...]
    predictions: Mapping[str, int]
    errors: int
    dead_letters: int
    p50: float
    p99: float
    labels: int
    joined: int
    unjoined: int
    missing: int
    auc: Mapping[str, float]
    versions: Mapping[str, int]
    swaps: Mapping[str, int]
    decisions: tuple[ModelEvent, ...] = ()
