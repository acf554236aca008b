"""The ledger: everything that stands in a stream's topics, folded into columns."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from modstream.audit.audit_tables import NO_ID, Answers, Joins, Lessons, Requests, Truths
from modstream.audit.columns import Numbering
from modstream.audit.lenient_messages import Answered, Joined, as_number, asked, number_in, task_in
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import read_to_end
from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import ERROR, decode
from modstream.broker.wire.contracts import (
    ErrorAnswer,
    Label,
    Metrics,
    ModelEvent,
    Quarantined,
    Unjoined,
    UnjoinedReason,
)
from modstream.broker.wire.dead_letters import cause_of
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header, Topics
from modstream.processors.predict.deduplication import Window

MetricKey = tuple[str, str | None, int | None]


@dataclass(slots=True)
class Oddities:
    """What no correct stream holds.

    `strangers` are answers with another id than their request, `astray` answers to records of
    other topics; `broken` counts records by topic that do not follow their contract.
    """

    strangers: int = 0
    astray: int = 0
    broken: Counter[str] = field(default_factory=Counter)


class Ledger:
    """A fold over the records of all topics of one stream, in any order of topics.

    `route` are the models that answer a request that names none. Within a partition records
    must come in the order of their offsets. A request that repeats the id of one of the
    `repeats` offsets before it is not to be answered.
    """

    def __init__(self, topics: Topics, route: tuple[str, ...], repeats: int = 0) -> None:
        self.topics = topics
        self.route = route
        self._windows: defaultdict[int, Window] = defaultdict(lambda: Window(repeats))
        self.ids = Numbering()
        self.requests = Requests()
        self.answers = defaultdict(Answers, {model: Answers() for model in route})
        self.errors: Counter[str] = Counter()
        self.dead_letters: Counter[str] = Counter()
        self.truths = Truths()
        self.joins: defaultdict[str, Joins] = defaultdict(Joins)
        self.joined_again = 0
        self.unjoined: Counter[UnjoinedReason] = Counter()
        self.lessons = Lessons()
        self.quarantined: dict[tuple[str, str, int], str] = {}
        self.events: list[ModelEvent] = []
        self.metrics: dict[MetricKey, Metrics] = {}
        self.lag: list[Metrics] = []
        self.oddities = Oddities()
        self._folds: dict[str, Callable[[Record], None]] = {
            topics.requests: self._request,
            topics.predictions: self._answer,
            topics.dlq: self._dead_letter,
            topics.labels: self._label,
            topics.feedback: self._feedback,
            topics.unjoined: self._unjoined,
            topics.quarantine: self._quarantined,
            topics.metrics: self._metrics,
            topics.model_events: self._event,
        }

    def add(self, record: Record) -> None:
        """Take one record; one that breaks its topic's contract is counted and passed over."""
        try:
            self._folds[record.topic](record)
        except DecodeError:
            self.oddities.broken[record.topic] += 1

    def _request(self, record: Record) -> None:
        table = self.requests
        row = table.at(record.partition, record.offset)
        table.seen.count(row)
        table.sent_at[row] = table.event_time[row] = record.timestamp
        request = asked(record.value)
        if request is None:
            return
        again = self._windows[record.partition].repeats(record.offset, request.id)
        if again and record.header(Header.REDRIVE_OF) is None:
            table.again.count(row)
        self._identify(row, request.id)
        if request.event_time is not None:
            table.event_time[row] = request.event_time
        if request.model is not None:
            table.named[row] = request.model

    def _answer(self, record: Record) -> None:
        if record.header(Header.KIND) == ERROR:
            self._refusal(decode(ErrorAnswer, record.value))
            return
        said = decode(Answered, record.value)
        if said.source.topic != self.topics.requests:
            self.oddities.astray += 1
            return
        row = self.requests.at(said.source.partition, said.source.offset)
        self._identify(row, said.id)
        answers = self.answers[said.model]
        if answers.count.count(row) == 1:
            answers.version[row] = said.version
            answers.value[row] = number_in(said.outputs)
            answers.task = answers.task or task_in(said.outputs)
            answers.at[row] = record.timestamp

    def _refusal(self, error: ErrorAnswer) -> None:
        self.errors[error.code] += 1
        if error.source.topic != self.topics.requests:
            self.oddities.astray += 1
            return
        row = self.requests.at(error.source.partition, error.source.offset)
        self._identify(row, error.id)
        if error.model is None:
            self.requests.refused.count(row)
        else:
            self.answers[error.model].errors.count(row)

    def _dead_letter(self, record: Record) -> None:
        cause = cause_of(record)
        self.dead_letters[cause.get("class.name", "unknown")] += 1
        if cause.get("topic") != self.topics.requests:
            return
        partition, offset = cause.get("partition", ""), cause.get("offset", "")
        if partition.isdecimal() and offset.isdecimal():
            self.requests.dead.count(self.requests.at(int(partition), int(offset)))
        else:
            self.oddities.broken[record.topic] += 1

    def _label(self, record: Record) -> None:
        label = decode(Label, record.value)
        number, truths = self.ids[label.id], self.truths
        value = as_number(label.label)
        if truths.sent.count(number) == 1:
            truths.first[number] = truths.last[number] = value
            truths.revision[number] = label.revision
        elif label.revision >= truths.revision[number]:
            truths.last[number] = value
            truths.revision[number] = label.revision

    def _feedback(self, record: Record) -> None:
        joined = decode(Joined, record.value)
        number = self.ids[joined.id]
        if joined.revises is not None:
            self._correction(joined, number)
            return
        if record.header(Header.REDRIVE_OF) is not None:
            model = (record.header(Header.MODEL) or b"").decode(errors="replace")
            self.lessons.release(model, str(record.home), record.offset)
            return
        self.truths.joined.count(number)
        for scored in joined.predictions:
            joins = self.joins[scored.model]
            if joins.count.count(number) > 1:
                self.joined_again += 1
                continue
            joins.version[number] = scored.version
            joins.value[number] = number_in(scored.outputs)
            joins.label[number] = as_number(joined.label)
        if joined.features is not None:
            self.lessons.add(str(record.home), record.offset, number)

    def _correction(self, joined: Joined, number: int) -> None:
        """Take the new truth of what was joined before."""
        for scored in joined.predictions:
            self.joins[scored.model].label[number] = as_number(joined.label)

    def _unjoined(self, record: Record) -> None:
        unjoined = decode(Unjoined, record.value)
        self.unjoined[unjoined.reason] += 1
        is_missing = unjoined.reason is UnjoinedReason.MISSING
        column = self.truths.missing if is_missing else self.truths.set_aside
        column.count(self.ids[unjoined.id])

    def _quarantined(self, record: Record) -> None:
        row = decode(Quarantined, record.value)
        home = f"{row.source.topic}:{row.source.partition}"
        self.quarantined[row.model, home, row.source.offset] = row.rule

    def _metrics(self, record: Record) -> None:
        metrics = decode(Metrics, record.value)
        if metrics.kind == "lag":
            self.lag.append(metrics)
        else:
            self.metrics[metrics.kind, metrics.model, metrics.version] = metrics

    def _event(self, record: Record) -> None:
        self.events.append(decode(ModelEvent, record.value))

    def _identify(self, row: int, request_id: str) -> None:
        """Note a row's id; two that speak of the same record must agree on it."""
        number, known = self.ids[request_id], self.requests.id[row]
        if known == NO_ID:
            self.requests.id[row] = number
        elif known != number:
            self.oddities.strangers += 1


def topics_read(topics: Topics) -> tuple[str, ...]:
    """The topics that a ledger is made of, in the order in which a request meets them.

    Fences are not among them: they tell again of first answers what the answers tell of all.
    """
    names = (spec.name for spec in topics.specs(partitions=1))
    return tuple(name for name in names if name != topics.fences)


def read_ledger(
    connection: Connection, topics: Topics, route: tuple[str, ...], repeats: int = 0
) -> Ledger:
    """Fold all committed records of a stream, from the beginning to where the topics end now.

    Raises:
        TopicMissing: a topic of the stream does not exist.
        BrokerError: reading failed.
    """
    ledger = Ledger(topics, route, repeats)
    for record in read_to_end(connection, topics_read(topics)):
        ledger.add(record)
    return ledger
