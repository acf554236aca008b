"""The half of a stream audit after the prediction: labels, joins, what learners must learn."""

from collections import Counter

from modstream.audit.columns import RowIndex
from modstream.audit.lenient_messages import LenientFeedback, numeric_output
from modstream.audit.names import OTHERS, NameTable
from modstream.audit.tables import JoinColumns, LabelColumns, QuarantinedOffsets, TrainingOffsets
from modstream.audit.values import ValueCodes
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import (
    JoinedPrediction,
    Label,
    Quarantined,
    Unjoined,
    UnjoinedReason,
)
from modstream.broker.wire.identifiers import row_key
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header

MAX_JOINED = 1000
"""Number of predictions of one feedback record that are read."""


class FeedbackTables:
    """A fold over labels, feedback, unjoined labels and quarantined feedback.

    `ids` gives each row of a request its number, by id and row number. `names` are those of the
    models that predict, and of those that learn. The methods raise DecodeError for a record that
    violates its contract.
    """

    def __init__(
        self,
        route: tuple[str, ...],
        ids: RowIndex,
        names: tuple[NameTable, NameTable],
        known: ValueCodes,
    ) -> None:
        self._route = route
        self._ids = ids
        self._models, self._learners = names
        self._known = known
        self._rules = NameTable(limit=200)
        self.labels = LabelColumns(known)
        self.joins: dict[str, JoinColumns] = {}
        self.repeated_joins = 0
        self.unjoined: Counter[UnjoinedReason] = Counter()
        self.training_offsets = TrainingOffsets()
        self.quarantined = QuarantinedOffsets()

    def add_label(self, record: Record) -> None:
        """Add a label; the copy of one that was forwarded is not another one."""
        if record.header(Header.FORWARDED_FROM) is not None:
            return
        label = decode(Label, record.value)
        number, labels = self._ids[row_key(label.id, label.row)], self.labels
        if labels.sent.increment(number) == 1:
            labels.first[number] = labels.last[number] = label.label
            labels.revision[number] = label.revision
            labels.event_time[number] = label.event_time
        elif label.revision >= labels.revision[number]:
            labels.last[number] = label.label
            labels.revision[number] = label.revision

    def add_feedback(self, record: Record) -> None:
        """Add a join, the correction of one, or feedback that was released from quarantine."""
        joined = decode(LenientFeedback, record.value)
        number = self._ids[row_key(joined.id, joined.row)]
        predictions = joined.predictions[:MAX_JOINED]
        if joined.revises is not None:
            for scored in predictions:
                self._joins_of(scored.model).label[number] = joined.label
            return
        if record.header(Header.REDRIVE_OF) is not None:
            model = (record.header(Header.MODEL) or b"").decode(errors="replace")
            self.training_offsets.add_released(
                self._learners[model], str(record.topic_partition), record.offset
            )
            return
        self.labels.joined.increment(number)
        for scored in predictions:
            self._add_join(number, joined.label, scored)
        if joined.features is not None:
            self.training_offsets.add(str(record.topic_partition), record.offset, number)

    def add_unjoined(self, record: Record) -> None:
        """Add a label or a prediction that was not joined."""
        unjoined = decode(Unjoined, record.value)
        self.unjoined[unjoined.reason] += 1
        is_missing = unjoined.reason is UnjoinedReason.MISSING
        column = self.labels.missing if is_missing else self.labels.unjoined
        column.increment(self._ids[row_key(unjoined.id, unjoined.row)])

    def add_quarantined(self, record: Record) -> None:
        """Add feedback that a guard rejected."""
        row = decode(Quarantined, record.value)
        partition = f"{row.source.topic}:{row.source.partition}"
        self.quarantined.add(
            self._learners[row.model], partition, row.source.offset, self._rules[row.rule]
        )

    def _joins_of(self, model: str) -> JoinColumns:
        name = self._models[model]
        if name not in self.joins:
            index = None if name in self._route else RowIndex()
            self.joins[name] = JoinColumns(self._known, index)
        return self.joins[name]

    def _add_join(self, number: int, label: object, scored: JoinedPrediction) -> None:
        joins = self._joins_of(scored.model)
        if joins.count.increment(number) > 1:
            # Models without names of their own are not the same one.
            self.repeated_joins += self._models[scored.model] != OTHERS
            return
        joins.version[number] = scored.version
        joins.value[number] = numeric_output(scored.outputs)
        if "label" in scored.outputs:
            joins.predicted[number] = scored.outputs["label"]
        joins.label[number] = label
