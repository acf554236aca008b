"""The audit of a stream: all records of its topics, folded into tables of columns."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from modstream.audit.columns import RowIndex
from modstream.audit.lenient_messages import (
    LenientFeedback,
    LenientPrediction,
    infer_task,
    numeric_output,
    read_request,
    to_number,
)
from modstream.audit.tables import (
    UNKNOWN_ID,
    JoinColumns,
    LabelColumns,
    RequestColumns,
    ResponseColumns,
    TrainingOffsets,
)
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import KIND_ERROR, decode
from modstream.broker.wire.contracts import (
    ErrorResponse,
    Label,
    Quarantined,
    Unjoined,
    UnjoinedReason,
)
from modstream.broker.wire.dead_letters import read_cause
from modstream.broker.wire.model_contracts import Metrics, ModelEvent
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.processors.predict.deduplication import DedupWindow

MetricKey = tuple[str, str | None, int | None]


@dataclass(slots=True)
class Anomalies:
    """Records that a correct stream does not contain.

    `id_mismatches` counts responses with another id than their request, `foreign_sources` responses
    to records of other topics, and `malformed` records that violate their contract, by topic.
    """

    id_mismatches: int = 0
    foreign_sources: int = 0
    malformed: Counter[str] = field(default_factory=Counter)


class StreamAudit:
    """A fold over the records of all topics of one stream, in any order of topics.

    Within a partition, records must be added in the order of their offsets. `route` are the models
    that respond to a request that names none. A request whose id occurs within the `dedup_window`
    offsets before it gets no response.
    """

    def __init__(self, topics: Topics, route: tuple[str, ...], dedup_window: int = 0) -> None:
        self.topics = topics
        self.route = route
        self._windows: defaultdict[int, DedupWindow] = defaultdict(
            lambda: DedupWindow(dedup_window)
        )
        self.ids = RowIndex()
        self.requests = RequestColumns()
        self.responses = defaultdict(ResponseColumns, {model: ResponseColumns() for model in route})
        self.errors: Counter[str] = Counter()
        self.dead_letters: Counter[str] = Counter()
        self.labels = LabelColumns()
        self.joins: defaultdict[str, JoinColumns] = defaultdict(JoinColumns)
        self.repeated_joins = 0
        self.unjoined: Counter[UnjoinedReason] = Counter()
        self.training_offsets = TrainingOffsets()
        self.quarantined: dict[tuple[str, str, int], str] = {}
        self.events: list[ModelEvent] = []
        self.metrics: dict[MetricKey, Metrics] = {}
        self.lag_samples: list[Metrics] = []
        self.anomalies = Anomalies()
        self._handlers: dict[str, Callable[[Record], None]] = {
            topics.requests: self._add_request,
            topics.predictions: self._add_response,
            topics.dlq: self._add_dead_letter,
            topics.labels: self._add_label,
            topics.feedback: self._add_feedback,
            topics.unjoined: self._add_unjoined,
            topics.quarantine: self._add_quarantined,
            topics.metrics: self._add_metrics,
            topics.model_events: self._add_event,
        }

    def add(self, record: Record) -> None:
        """Add one record; a record that violates its topic's contract is only counted."""
        try:
            self._handlers[record.topic](record)
        except DecodeError:
            self.anomalies.malformed[record.topic] += 1

    def _add_request(self, record: Record) -> None:
        table = self.requests
        row = table.row_at(record.partition, record.offset)
        table.is_seen.increment(row)
        table.sent_at[row] = table.event_time[row] = record.timestamp
        request = read_request(record.value)
        if request is None:
            return
        is_repeated = self._windows[record.partition].is_duplicate(record.offset, request.id)
        if is_repeated and record.header(Header.REDRIVE_OF) is None:
            table.is_duplicate.increment(row)
        self._check_id(row, request.id)
        if request.event_time is not None:
            table.event_time[row] = request.event_time
        if request.model is not None:
            table.named_models[row] = request.model

    def _add_response(self, record: Record) -> None:
        if record.header(Header.KIND) == KIND_ERROR:
            self._add_error(decode(ErrorResponse, record.value))
            return
        prediction = decode(LenientPrediction, record.value)
        if prediction.source.topic != self.topics.requests:
            self.anomalies.foreign_sources += 1
            return
        row = self.requests.row_at(prediction.source.partition, prediction.source.offset)
        self._check_id(row, prediction.id)
        responses = self.responses[prediction.model]
        if responses.predictions.increment(row) == 1:
            responses.version[row] = prediction.version
            responses.value[row] = numeric_output(prediction.outputs)
            responses.task = responses.task or infer_task(prediction.outputs)
            responses.appended_at[row] = record.timestamp

    def _add_error(self, error: ErrorResponse) -> None:
        self.errors[error.code] += 1
        if error.source.topic != self.topics.requests:
            self.anomalies.foreign_sources += 1
            return
        row = self.requests.row_at(error.source.partition, error.source.offset)
        self._check_id(row, error.id)
        if error.model is None:
            self.requests.errors.increment(row)
        else:
            self.responses[error.model].errors.increment(row)

    def _add_dead_letter(self, record: Record) -> None:
        cause = read_cause(record)
        self.dead_letters[cause.get("class.name", "unknown")] += 1
        if cause.get("topic") != self.topics.requests:
            return
        partition, offset = cause.get("partition", ""), cause.get("offset", "")
        if partition.isdecimal() and offset.isdecimal():
            self.requests.dead_letters.increment(self.requests.row_at(int(partition), int(offset)))
        else:
            self.anomalies.malformed[record.topic] += 1

    def _add_label(self, record: Record) -> None:
        label = decode(Label, record.value)
        number, labels = self.ids[label.id], self.labels
        value = to_number(label.label)
        if labels.sent.increment(number) == 1:
            labels.first[number] = labels.last[number] = value
            labels.revision[number] = label.revision
        elif label.revision >= labels.revision[number]:
            labels.last[number] = value
            labels.revision[number] = label.revision

    def _add_feedback(self, record: Record) -> None:
        joined = decode(LenientFeedback, record.value)
        number = self.ids[joined.id]
        if joined.revises is not None:
            self._revise_label(joined, number)
            return
        if record.header(Header.REDRIVE_OF) is not None:
            model = (record.header(Header.MODEL) or b"").decode(errors="replace")
            self.training_offsets.add_released(model, str(record.topic_partition), record.offset)
            return
        self.labels.joined.increment(number)
        for scored in joined.predictions:
            joins = self.joins[scored.model]
            if joins.count.increment(number) > 1:
                self.repeated_joins += 1
                continue
            joins.version[number] = scored.version
            joins.value[number] = numeric_output(scored.outputs)
            joins.label[number] = to_number(joined.label)
        if joined.features is not None:
            self.training_offsets.add(str(record.topic_partition), record.offset, number)

    def _revise_label(self, joined: LenientFeedback, number: int) -> None:
        """Replace the label of an earlier join."""
        for scored in joined.predictions:
            self.joins[scored.model].label[number] = to_number(joined.label)

    def _add_unjoined(self, record: Record) -> None:
        unjoined = decode(Unjoined, record.value)
        self.unjoined[unjoined.reason] += 1
        is_missing = unjoined.reason is UnjoinedReason.MISSING
        column = self.labels.missing if is_missing else self.labels.unjoined
        column.increment(self.ids[unjoined.id])

    def _add_quarantined(self, record: Record) -> None:
        row = decode(Quarantined, record.value)
        partition = f"{row.source.topic}:{row.source.partition}"
        self.quarantined[row.model, partition, row.source.offset] = row.rule

    def _add_metrics(self, record: Record) -> None:
        metrics = decode(Metrics, record.value)
        if metrics.kind == "lag":
            self.lag_samples.append(metrics)
        else:
            self.metrics[metrics.kind, metrics.model, metrics.version] = metrics

    def _add_event(self, record: Record) -> None:
        self.events.append(decode(ModelEvent, record.value))

    def _check_id(self, row: int, request_id: str) -> None:
        """Set a row's id, or count a mismatch if an earlier record gave it another id."""
        number, known = self.ids[request_id], self.requests.id_row[row]
        if known == UNKNOWN_ID:
            self.requests.id_row[row] = number
        elif known != number:
            self.anomalies.id_mismatches += 1
