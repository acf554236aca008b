"""The tables of a stream audit, column by column: requests, responses, labels, joins, feedback."""

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import nan

import numpy as np

from modstream.audit.columns import Column, RowIndex, ScatteredColumn
from modstream.audit.values import ValueCodes, ValueColumn
from modstream.models.evaluation.arrays import IntArray

OFFSET_BITS = 48
UNKNOWN_ID = -1


def _count_column() -> Column:
    return Column("I")


def _time_column() -> Column:
    return Column("q")


@dataclass(slots=True)
class RequestColumns:
    """One row per request record. The first record that refers to its position creates the row.

    `is_seen` counts reads of the record itself. `is_duplicate` is set where it repeats the id of
    an earlier request within the deduplication window. `id_row` is the row of its id in
    `StreamAudit.ids`. `errors` counts error responses on behalf of all models. `named_models` has
    the models of the requests that name one, by row.
    """

    rows: RowIndex = field(default_factory=RowIndex)
    is_seen: Column = field(default_factory=_count_column)
    is_duplicate: Column = field(default_factory=_count_column)
    id_row: Column = field(default_factory=lambda: Column("q", UNKNOWN_ID))
    sent_at: Column = field(default_factory=_time_column)
    event_time: Column = field(default_factory=_time_column)
    errors: Column = field(default_factory=_count_column)
    dead_letters: Column = field(default_factory=_count_column)
    named_models: dict[int, str] = field(default_factory=dict)

    def row_at(self, partition: int, offset: int) -> int:
        """Return the row of the request at this position."""
        return self.rows[partition << OFFSET_BITS | offset]


class OutputColumns:
    """The outputs of one model by row: version, number (`value`), and class (`predicted`).

    `confidence` is the highest probability of several classes.

    With an `index`, the columns take memory for the rows only that were written.
    """

    def __init__(self, known: ValueCodes, index: RowIndex | None = None) -> None:
        self._index = index
        self.version = self.column("q")
        self.value = self.column("d", nan)
        self.predicted = ValueColumn(known, self.column)
        self.confidence = self.column("d", nan)

    def column(self, code: str, default: float = 0) -> Column:
        """Return a new column of the same rows."""
        if self._index is None:
            return Column(code, default)
        return ScatteredColumn(self._index, code, default)


class ResponseColumns(OutputColumns):
    """One model's responses by request row; of several predictions the first one's content is kept.

    `further_rows` has the outputs of the second and later rows of requests, by the row of their key
    in `StreamAudit.ids`, and the row of their request.
    """

    def __init__(self, known: ValueCodes, index: RowIndex | None = None) -> None:
        super().__init__(known, index)
        self.predictions = self.column("I")
        self.errors = self.column("I")
        self.appended_at = self.column("q")
        self.further_rows = FurtherRows(known, RowIndex())


class FurtherRows(OutputColumns):
    """The outputs of the rows after the first of requests with several rows."""

    def __init__(self, known: ValueCodes, index: RowIndex) -> None:
        super().__init__(known, index)
        self.request = self.column("q")
        self.rows = index.rows


class LabelColumns:
    """Labels by row of their key: the number sent, the first and the last value, the outcome.

    `joined` counts feedback records, `unjoined` labels that were late, orphaned, duplicate or
    revised, and `missing` predictions whose label never arrived.
    """

    def __init__(self, known: ValueCodes) -> None:
        self.sent = _count_column()
        self.first = ValueColumn(known, Column)
        self.last = ValueColumn(known, Column)
        self.revision = _time_column()
        self.event_time = _time_column()
        self.joined = _count_column()
        self.unjoined = _count_column()
        self.missing = _count_column()


class JoinColumns(OutputColumns):
    """One model's joined predictions by row of their key; the content is that of the first join."""

    def __init__(self, known: ValueCodes, index: RowIndex | None = None) -> None:
        super().__init__(known, index)
        self.count = self.column("I")
        self.label = ValueColumn(known, self.column)


@dataclass(slots=True)
class TrainingOffsets:
    """The offsets of the feedback records that a learner must learn exactly once, by partition.

    These are the first feedback record with features of each row, and, for the model that they were
    released for, records `released` from quarantine, by model and partition.
    """

    offsets: dict[str, "array[int]"] = field(default_factory=dict)
    released: dict[str, dict[str, "array[int]"]] = field(default_factory=dict)
    _seen: Column = field(default_factory=_count_column)
    _sorted: dict[str, IntArray] = field(default_factory=dict)
    _sorted_size: int = 0

    def add(self, partition: str, offset: int, key_row: int) -> None:
        """Add a feedback record with features, unless an earlier one was of the same row."""
        if not self._seen[key_row]:
            self._seen[key_row] = 1
            self.offsets.setdefault(partition, array("q")).append(offset)

    def add_released(self, model: str, partition: str, offset: int) -> None:
        """Add a feedback record that was released from quarantine for one model."""
        self.released.setdefault(model, {}).setdefault(partition, array("q")).append(offset)

    def sorted_offsets(self) -> Mapping[str, IntArray]:
        """Return the offsets that every model must learn, by partition, in ascending order."""
        size = sum(map(len, self.offsets.values()))
        if self._sorted_size != size:
            self._sorted = {
                partition: np.sort(np.array(offsets, dtype=np.int64))
                for partition, offsets in self.offsets.items()
            }
            self._sorted_size = size
        return self._sorted


@dataclass(slots=True)
class QuarantinedOffsets:
    """The offsets of rejected feedback with the rule, by model and partition."""

    _offsets: dict[tuple[str, str], "array[int]"] = field(default_factory=dict)
    _rules: dict[tuple[str, str], "array[int]"] = field(default_factory=dict)
    _rule_index: RowIndex = field(default_factory=RowIndex)

    def add(self, model: str, partition: str, offset: int, rule: str) -> None:
        """Add a rejected record."""
        self._offsets.setdefault((model, partition), array("q")).append(offset)
        self._rules.setdefault((model, partition), array("I")).append(self._rule_index[rule])

    def of_model(self, model: str) -> Iterable[tuple[str, dict[int, str]]]:
        """Yield each partition with the rules of a model's rejected records, by offset."""
        names = list(self._rule_index.rows)
        for (name, partition), offsets in self._offsets.items():
            if name == model:
                rules = self._rules[name, partition]
                yield partition, {at: names[rule] for at, rule in zip(offsets, rules, strict=True)}
