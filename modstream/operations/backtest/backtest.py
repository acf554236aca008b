"""Backtest: recorded requests, predicted again by any version. Joins no group, writes nothing."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.errors import DecodeError
from modstream.broker.wire.batches import split_batches
from modstream.broker.wire.codec import decode, decode_response
from modstream.broker.wire.contracts import ErrorResponse, Label, Prediction
from modstream.broker.wire.features import JsonScalar
from modstream.broker.wire.identifiers import row_key
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.errors import NoRecordedPredictions
from modstream.models.evaluation.version_classes import VersionClasses, VersionLabels
from modstream.models.schema.card import ModelCard
from modstream.operations.backtest.compare import (
    ComparedRow,
    Comparison,
    RequestPosition,
    VersionOutput,
    compare,
    compared_rows,
)
from modstream.operations.backtest.scores import BacktestScores, rows_of
from modstream.operations.offset_ranges import ReadProgressCallback, find_ranges, read_ranges
from modstream.processors.predict.engine import InferenceEngine
from modstream.processors.predict.model_resolver import (
    ModelProvider,
    ServableModel,
    SingleModelProvider,
)
from modstream.processors.predict.settings import InferenceSettings

BATCH_REQUESTS = 2000
"""Requests that are predicted at once."""
MAX_CLOCK_SKEW_MS = 600_000
"""How far a client's clock may be ahead of the brokers', which stamp the responses."""


class TimeRange(NamedTuple):
    """Requests from `since` to before `until`, ms since the epoch; None is no bound."""

    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """The result of a backtest.

    `requests` counts the records of the time range, `answered` those that the version answered,
    `refused` those that it did not, by error code. All requests that are not compared are
    `unmatched`, by reason: see `BacktestScores.unmatched`.
    """

    card: ModelCard
    baseline: str
    requests: int
    answered: int
    refused: dict[str, int]
    unmatched: dict[str, int]
    rows: list[ComparedRow]
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Backtest:
    """A stream's requests, its recorded predictions and its labels.

    The order of a backtest:
      1. read the requests of the time range and predict them by the worker's own engine
      2. read the recorded predictions of the baseline model
      3. read the labels, of which the highest revision counts
      4. compare
    """

    connection: Connection
    topics: Topics
    max_request_bytes: int
    notice: ReadProgressCallback = lambda _doing, _count, _total: None
    versions: VersionClasses = field(default_factory=VersionClasses)
    steps: ModelProvider | None = None
    """Gives the models of the steps of a pipeline."""

    def run(
        self, model: ServableModel, baseline: str, time_range: TimeRange, threshold: float
    ) -> BacktestResult:
        """Compare a version with the recorded predictions of a model, which may be its own.

        Raises:
            NoRecordedPredictions: no request of the time range has an answer of both.
            BrokerError: reading failed.
        """
        scores = self.score(model, baseline, time_range)  # Step 1.
        subject = VersionLabels.of(model.card)
        served = self._served(subject, baseline, scores.outputs, time_range.since)  # Step 2.
        labels = self._labels({one.id for one in served.values()}, time_range.since)  # Step 3.
        found = list(compared_rows(subject, served, scores.outputs, labels))
        if not found:
            raise NoRecordedPredictions(scores.requests, baseline)
        return BacktestResult(
            card=model.card,
            baseline=baseline,
            requests=scores.requests,
            answered=len(scores.outputs),
            refused=dict(scores.refused.most_common()),
            unmatched=scores.unmatched(served.keys()),
            rows=found,
            comparison=compare(subject, found, threshold),  # Step 4.
        )

    def score(self, model: ServableModel, baseline: str, time_range: TimeRange) -> BacktestScores:
        """Predict the requests for the baseline model, by any of its versions, with this one."""
        names = frozenset({baseline, model.card.name})
        settings = InferenceSettings((baseline,), record_features=False)
        engine = InferenceEngine(SingleModelProvider(model, names, self.steps), settings)
        scores = BacktestScores(self.max_request_bytes)
        ranges = find_ranges(Admin(self.connection), [self.topics.requests], *time_range)
        for batch in split_batches(
            read_ranges(self.connection, ranges, self.notice), BATCH_REQUESTS
        ):
            scores.add(batch, engine, names)
        return scores

    def _served(
        self,
        subject: VersionLabels,
        model: str,
        asked: dict[RequestPosition, VersionOutput],
        since: int | None,
    ) -> dict[RequestPosition, VersionOutput]:
        """Return the recorded predictions of a model for requests that were predicted again.

        Those of versions with another task or other classes than the subject are left out: what
        their outputs mean is different, or not known.
        """
        found: dict[RequestPosition, VersionOutput] = {}
        prefix = f"{model}/".encode()
        for record in self._since(self.topics.predictions, since):
            if not (record.header(Header.MODEL) or b"").startswith(prefix):
                continue
            response = readable_response(record)
            if isinstance(response, Prediction) and response.source.topic == self.topics.requests:
                position = RequestPosition(response.source.partition, response.source.offset)
                version = self.versions.get(model, response.version)
                if position in asked and version is not None and version.is_like(subject):
                    found.setdefault(position, version_output(response))
        return found

    def _labels(self, ids: Collection[str], since: int | None) -> dict[str, JsonScalar]:
        """Return the labels of some requests, by `row_key`; the highest revision counts."""
        newest: dict[str, Label] = {}
        for record in self._since(self.topics.labels, since):
            try:
                label = decode(Label, record.value)
            except DecodeError:
                continue
            key = row_key(label.id, label.row)
            known = newest.get(key)
            if label.id in ids and (known is None or label.revision >= known.revision):
                newest[key] = label
        return {name: label.label for name, label in newest.items()}

    def _since(self, topic: str, since: int | None) -> Iterator[Record]:
        start = None if since is None else max(0, since - MAX_CLOCK_SKEW_MS)
        ranges = find_ranges(Admin(self.connection), [topic], start)
        return read_ranges(self.connection, ranges, self.notice)


def readable_response(record: Record) -> Prediction | ErrorResponse | None:
    """Return the response in a record, or None if it is not one."""
    try:
        return decode_response(record)
    except DecodeError:
        return None


def version_output(prediction: Prediction) -> VersionOutput:
    """Return the outputs of a recorded prediction, row by row."""
    return VersionOutput(prediction.id, prediction.version, rows_of(prediction.outputs))


def flatten_rows(rows: Sequence[ComparedRow]) -> Iterator[dict[str, object]]:
    """Return compared rows as flat mappings, for a file."""
    for row in rows:
        flat = row._asdict()
        position = flat.pop("position")
        yield {"id": flat.pop("id"), **position._asdict(), **flat}
