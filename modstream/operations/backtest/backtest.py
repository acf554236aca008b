"""Backtest: recorded requests, predicted again by any version. Joins no group, writes nothing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.errors import DecodeError
from modstream.broker.wire.batches import split_batches
from modstream.broker.wire.codec import decode, decode_request, decode_response
from modstream.broker.wire.contracts import ErrorResponse, Label, Prediction, Request
from modstream.broker.wire.features import JsonScalar
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.errors import NoRecordedPredictions
from modstream.models.registry.errors import ModelNotFound
from modstream.models.registry.refs import CHAMPION
from modstream.models.schema.card import ModelCard
from modstream.operations.backtest.compare import (
    ComparedRow,
    Comparison,
    RequestPosition,
    VersionOutput,
    compare,
    compared_rows,
    single_rows,
)
from modstream.operations.offset_ranges import ReadProgressCallback, find_ranges, read_ranges
from modstream.processors.predict.engine import InferenceEngine, Rejection
from modstream.processors.predict.model_resolver import ServableModel
from modstream.processors.predict.settings import InferenceSettings

BATCH_REQUESTS = 2000
"""Requests that are predicted at once."""
MAX_CLOCK_SKEW_MS = 600_000
"""How far a client's clock may be ahead of the brokers', which stamp the responses."""


@dataclass(frozen=True, slots=True)
class SingleModelProvider:
    """Gives one version for some model names, whatever version is asked for."""

    model: ServableModel
    names: frozenset[str]

    def get(self, name: str, _ref: int | str = CHAMPION) -> ServableModel:
        """Return the one version.

        Raises:
            ModelNotFound: the name is another model's, which this backtest does not cover.
        """
        if name not in self.names:
            raise ModelNotFound(name, _ref)
        return self.model


class TimeRange(NamedTuple):
    """Requests from `since` to before `until`, ms since the epoch; None is no bound."""

    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """The result of a backtest.

    `requests` counts the records of the time range, `answered` those that the version answered,
    `refused` those that it did not, by error code. `unmatched` of the answered ones have no
    recorded prediction of the `baseline` model.
    """

    card: ModelCard
    baseline: str
    requests: int
    answered: int
    refused: dict[str, int]
    unmatched: int
    rows: list[ComparedRow]
    comparison: Comparison


@dataclass(slots=True)
class BacktestScores:
    """The outputs of a version by the request's position, and its refusals by error code."""

    max_request_bytes: int | None = None
    outputs: dict[RequestPosition, VersionOutput] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    requests: int = 0

    def add(self, batch: Sequence[Record], engine: InferenceEngine, models: frozenset[str]) -> None:
        """Predict recorded requests; records that are not requests are only counted."""
        self.requests += len(batch)
        decoded = [
            (record, request)
            for record in batch
            if (request := readable(record, self.max_request_bytes))
        ]
        responses = engine.infer([request for _, request in decoded])
        for (record, request), found in zip(decoded, responses, strict=True):
            for response in found:
                if not isinstance(response, Rejection):
                    outputs = single_rows(response.outputs)
                    position = RequestPosition(record.partition, record.offset)
                    version = response.card.version
                    self.outputs[position] = VersionOutput(request.id, version, outputs)
                elif response.model in models:
                    self.refused[response.reason.code] += 1


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

    def run(
        self, model: ServableModel, baseline: str, time_range: TimeRange, threshold: float
    ) -> BacktestResult:
        """Compare a version with the recorded predictions of a model, which may be its own.

        Raises:
            NoRecordedPredictions: no request of the time range has an answer of both.
            BrokerError: reading failed.
        """
        scores = self.score(model, baseline, time_range)  # Step 1.
        served = self._served(baseline, scores.outputs, time_range.since)  # Step 2.
        labels = self._labels(time_range.since)  # Step 3.
        task = model.card.task
        found = list(compared_rows(task, served, scores.outputs, labels))
        if not found:
            raise NoRecordedPredictions(scores.requests, baseline)
        return BacktestResult(
            card=model.card,
            baseline=baseline,
            requests=scores.requests,
            answered=len(scores.outputs),
            refused=dict(scores.refused.most_common()),
            unmatched=len(scores.outputs.keys() - served.keys()),
            rows=found,
            comparison=compare(task, found, threshold),  # Step 4.
        )

    def score(self, model: ServableModel, baseline: str, time_range: TimeRange) -> BacktestScores:
        """Predict the requests for the baseline model, by any of its versions, with this one."""
        names = frozenset({baseline, model.card.name})
        settings = InferenceSettings((baseline,), record_features=False)
        engine = InferenceEngine(SingleModelProvider(model, names), settings)
        scores = BacktestScores(self.max_request_bytes)
        ranges = find_ranges(Admin(self.connection), [self.topics.requests], *time_range)
        for batch in split_batches(
            read_ranges(self.connection, ranges, self.notice), BATCH_REQUESTS
        ):
            scores.add(batch, engine, names)
        return scores

    def _served(
        self, model: str, asked: dict[RequestPosition, VersionOutput], since: int | None
    ) -> dict[RequestPosition, VersionOutput]:
        """Return the recorded predictions of a model for requests that were predicted again."""
        found: dict[RequestPosition, VersionOutput] = {}
        prefix = f"{model}/".encode()
        for record in self._since(self.topics.predictions, since):
            if not (record.header(Header.MODEL) or b"").startswith(prefix):
                continue
            response = readable_response(record)
            if isinstance(response, Prediction) and response.source.topic == self.topics.requests:
                position = RequestPosition(response.source.partition, response.source.offset)
                if position in asked:
                    found.setdefault(position, version_output(response))
        return found

    def _labels(self, since: int | None) -> dict[str, JsonScalar]:
        newest: dict[str, Label] = {}
        for record in self._since(self.topics.labels, since):
            try:
                label = decode(Label, record.value)
            except DecodeError:
                continue
            known = newest.get(label.id)
            if known is None or label.revision >= known.revision:
                newest[label.id] = label
        return {name: label.label for name, label in newest.items()}

    def _since(self, topic: str, since: int | None) -> Iterator[Record]:
        start = None if since is None else max(0, since - MAX_CLOCK_SKEW_MS)
        ranges = find_ranges(Admin(self.connection), [topic], start)
        return read_ranges(self.connection, ranges, self.notice)


def readable(record: Record, max_bytes: int | None = None) -> Request | None:
    """Return the request in a record, or None if it is not one or is too large."""
    try:
        return decode_request(record, max_bytes)
    except DecodeError:
        return None


def readable_response(record: Record) -> Prediction | ErrorResponse | None:
    """Return the response in a record, or None if it is not one."""
    try:
        return decode_response(record)
    except DecodeError:
        return None


def version_output(prediction: Prediction) -> VersionOutput:
    """Return the outputs of a recorded prediction, row by row."""
    return VersionOutput(prediction.id, prediction.version, single_rows(prediction.outputs))


def flatten_rows(rows: Sequence[ComparedRow]) -> Iterator[dict[str, object]]:
    """Return compared rows as flat mappings, for a file."""
    for row in rows:
        flat = row._asdict()
        position = flat.pop("position")
        yield {"id": flat.pop("id"), **position._asdict(), **flat}
