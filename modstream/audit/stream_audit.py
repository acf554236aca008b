"""The audit of a stream: all records of its topics, folded into tables of columns."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from modstream.audit.anomalies import Anomalies, Waiting
from modstream.audit.columns import RowIndex
from modstream.audit.event_tables import EventTables
from modstream.audit.feature_table import FeatureTable
from modstream.audit.feedback_tables import FeedbackTables
from modstream.audit.lenient_messages import (
    PredictionWithFeatures,
    feature_rows,
    numeric_output,
    output_rows,
    read_request,
    top_probability,
)
from modstream.audit.names import MAX_LEARNERS, NameCounter, NameTable
from modstream.audit.scope import AuditScope, Place
from modstream.audit.tables import UNKNOWN_ID, RequestColumns, ResponseColumns
from modstream.audit.values import ValueCodes
from modstream.broker.errors import DecodeError
from modstream.broker.loop.isolation import is_fault
from modstream.broker.wire.bounds import MAX_EVENT_TIME
from modstream.broker.wire.codec import KIND_ERROR, decode
from modstream.broker.wire.contracts import ErrorResponse, Label
from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.event_requests import request_record
from modstream.broker.wire.identifiers import row_key
from modstream.broker.wire.records import Record, TopicPartition
from modstream.broker.wire.topics import Header, Topics
from modstream.models.evaluation.version_classes import VersionClasses
from modstream.processors.predict.deduplication import DedupWindow

MAX_DIGITS = 18
"""Number of digits up to which the position in a dead letter is read."""
MAX_FURTHER_ROWS = 1_000_000
"""Number of rows after the first of their requests whose outputs are kept, for each model."""


class StreamAudit:
    """A fold over the records of all topics of one stream, in any order of topics.

    Within a partition, records must be added in the order of their offsets. `route` are the models
    that respond to a request that names none. A request whose id occurs within the `dedup_window`
    offsets before it gets no response. `versions` has the classes of the versions; without them,
    nothing but regressions is scored. With a `scope`, only a part of a stream that runs on is
    accounted for; without one, the stream has come to rest and is audited as a whole.

    Memory is bounded by the number of records: anybody may choose names, so that models beyond
    `names.MAX_MODELS` count as one, and only those of the route have a cell for each request.
    """

    def __init__(
        self,
        topics: Topics,
        route: tuple[str, ...],
        dedup_window: int = 0,
        versions: VersionClasses | None = None,
        scope: AuditScope | None = None,
    ) -> None:
        self.topics = topics
        self.route = route
        self.scope = scope
        self.waiting = Waiting()
        self.versions = versions or VersionClasses()
        self._windows: defaultdict[int, DedupWindow] = defaultdict(
            lambda: DedupWindow(dedup_window)
        )
        self.ids = RowIndex()
        self.models = NameTable(route)
        self._known = ValueCodes()
        self.requests = RequestColumns()
        self.responses = {model: ResponseColumns(self._known) for model in route}
        self.features = FeatureTable()
        self.errors = NameCounter()
        self.dead_letters = NameCounter()
        learners = NameTable(route, MAX_LEARNERS)
        self.feedback = FeedbackTables(route, self.ids, (self.models, learners), self._known)
        self.events = EventTables(topics.feedback, learners)
        self.anomalies = Anomalies()
        self._handlers: dict[str, Callable[[Record], None]] = {
            topics.requests: self._add_request,
            topics.predictions: self._add_response,
            topics.dlq: self._add_dead_letter,
            topics.labels: self._add_label,
            topics.feedback: self.feedback.add_feedback,
            topics.unjoined: self.feedback.add_unjoined,
            topics.quarantine: self.feedback.add_quarantined,
            topics.metrics: self.events.add_metrics,
            topics.model_events: self.events.add_event,
        }

    def add(self, record: Record) -> None:
        """Add one record; a record that violates its topic's contract is only counted."""
        try:
            self._handlers[record.topic](record)
        except BaseException as error:
            if not (isinstance(error, DecodeError) or is_fault(error)):
                raise
            self.anomalies.malformed[record.topic] += 1

    def _add_request(self, record: Record) -> None:
        place, table = self._place(record.partition, record.offset), self.requests
        request = read_request(request_record(record).value)
        is_repeated = request is not None and self._windows[record.partition].is_duplicate(
            record.offset, request.id
        )
        self.waiting.requests += place is Place.AFTER
        if place is not Place.INSIDE:
            return
        row = table.row_at(record.partition, record.offset)
        table.is_seen.increment(row)
        table.sent_at[row] = table.event_time[row] = bounded_time(record.timestamp)
        if request is None:
            return
        if is_repeated and record.header(Header.REDRIVE_OF) is None:
            table.is_duplicate.increment(row)
        self._check_id(row, request.id)
        if request.event_time is not None:
            table.event_time[row] = bounded_time(request.event_time)
        if request.model is not None:
            table.named_models[row] = self.models[request.model]

    def _add_response(self, record: Record) -> None:
        if record.header(Header.KIND) == KIND_ERROR:
            self._add_error(decode(ErrorResponse, record.value))
            return
        prediction = decode(PredictionWithFeatures, record.value)
        if prediction.source.topic != self.topics.requests:
            self.anomalies.foreign_sources += 1
            return
        source = prediction.source
        if self._place(source.partition, source.offset) is not Place.INSIDE:
            return
        row = self.requests.row_at(source.partition, source.offset)
        self._check_id(row, prediction.id)
        if self.scope is not None and not self.scope.is_joined(record):
            self.waiting.label_rows.add(self.ids[prediction.id])
        responses = self._responses_of(prediction.model)
        if responses.predictions.increment(row) > 1:
            return
        responses.version[row] = prediction.version
        responses.appended_at[row] = bounded_time(record.timestamp)
        for number, features in enumerate(feature_rows(prediction.features)):
            self.features.add(self.ids[row_key(prediction.id, number)], row, features)
        self._add_outputs(prediction, row, responses)

    def _add_outputs(
        self, prediction: PredictionWithFeatures, row: int, responses: ResponseColumns
    ) -> None:
        rows = output_rows(prediction.outputs)
        if rows:
            responses.value[row] = numeric_output(rows[0])
            if isfinite(highest := top_probability(rows[0])):
                responses.confidence[row] = highest
            if "label" in rows[0]:
                responses.predicted[row] = rows[0]["label"]
            if len(rows) > 1:
                self._add_further_rows(prediction, row, rows)

    def _add_error(self, error: ErrorResponse) -> None:
        if error.source.topic != self.topics.requests:
            self.errors.add(error.code)
            self.anomalies.foreign_sources += 1
            return
        if self._place(error.source.partition, error.source.offset) is not Place.INSIDE:
            return
        self.errors.add(error.code)
        row = self.requests.row_at(error.source.partition, error.source.offset)
        self._check_id(row, error.id)
        if error.model is None:
            self.requests.errors.increment(row)
        else:
            self._responses_of(error.model).errors.increment(row)

    def _add_dead_letter(self, record: Record) -> None:
        cause = read_cause(record)
        is_request = cause.get("topic") == self.topics.requests
        partition, offset = cause.get("partition", ""), cause.get("offset", "")
        if is_request and not (is_number(partition) and is_number(offset)):
            self.anomalies.malformed[record.topic] += 1
        elif is_request:
            if self._place(int(partition), int(offset)) is not Place.INSIDE:
                return
            self.requests.dead_letters.increment(self.requests.row_at(int(partition), int(offset)))
        self.dead_letters.add(cause.get("class.name", "unknown"))

    def _add_label(self, record: Record) -> None:
        place = Place.INSIDE if self.scope is None else self.scope.place_of(record)
        if place is Place.INSIDE:
            self.feedback.add_label(record)
        elif place is Place.AFTER:
            label = decode(Label, record.value)
            self.waiting.label_rows.add(self.ids[row_key(label.id, label.row)])
            self.waiting.labels += record.header(Header.FORWARDED_FROM) is None

    def _place(self, partition: int, offset: int) -> Place:
        """Return where a request is in relation to the scope."""
        if self.scope is None:
            return Place.INSIDE
        return self.scope.place(TopicPartition(self.topics.requests, partition), offset)

    def _responses_of(self, model: str) -> ResponseColumns:
        """Return the columns of a model; one outside the route gets scattered ones."""
        name = self.models[model]
        if name not in self.responses:
            self.responses[name] = ResponseColumns(self._known, RowIndex())
        return self.responses[name]

    def _add_further_rows(
        self, prediction: PredictionWithFeatures, request: int, rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Keep the outputs of the rows after the first."""
        further = self._responses_of(prediction.model).further_rows
        for number, outputs in enumerate(rows[1:], start=1):
            if len(further.rows) >= MAX_FURTHER_ROWS:
                return
            key = self.ids[row_key(prediction.id, number)]
            further.request[key] = request
            further.version[key] = prediction.version
            further.value[key] = numeric_output(outputs)
            further.confidence[key] = top_probability(outputs)
            if "label" in outputs:
                further.predicted[key] = outputs["label"]

    def _check_id(self, row: int, request_id: str) -> None:
        """Set a row's id, or count a mismatch if an earlier record gave it another id."""
        number, known = self.ids[request_id], self.requests.id_row[row]
        if known == UNKNOWN_ID:
            self.requests.id_row[row] = number
        elif known != number:
            self.anomalies.id_mismatches += 1


def is_number(text: str) -> bool:
    """Return whether a text is a number of a partition or an offset."""
    return text.isdecimal() and len(text) <= MAX_DIGITS


def bounded_time(time: int) -> int:
    """Return a time in ms, within the years 1970 to 9999: clients choose their timestamps."""
    return min(max(time, 0), MAX_EVENT_TIME)
