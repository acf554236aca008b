"""The tables of a stream audit, column by column: requests, responses, labels, joins, feedback."""

from dataclasses import dataclass, field
from math import nan

from modstream.audit.columns import Column, RowIndex
from modstream.models.schema.card import Task

OFFSET_BITS = 48
UNKNOWN_ID = -1


def _count_column() -> Column:
    return Column("I")


def _float_column() -> Column:
    return Column("d", nan)


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


@dataclass(slots=True)
class ResponseColumns:
    """One model's responses by request row; of several predictions the first one's content is kept.

    `task` is the model's task as the outputs of its first prediction imply it, or None.
    """

    task: Task | None = None
    predictions: Column = field(default_factory=_count_column)
    errors: Column = field(default_factory=_count_column)
    version: Column = field(default_factory=_count_column)
    value: Column = field(default_factory=_float_column)
    appended_at: Column = field(default_factory=_time_column)


@dataclass(slots=True)
class LabelColumns:
    """Labels by row of their id: the number sent, the first and the last value, the outcome.

    `joined` counts feedback records, `unjoined` labels that were late, orphaned, duplicate or
    revised, and `missing` predictions whose label never arrived.
    """

    sent: Column = field(default_factory=_count_column)
    first: Column = field(default_factory=_float_column)
    last: Column = field(default_factory=_float_column)
    revision: Column = field(default_factory=_count_column)
    joined: Column = field(default_factory=_count_column)
    unjoined: Column = field(default_factory=_count_column)
    missing: Column = field(default_factory=_count_column)


@dataclass(slots=True)
class JoinColumns:
    """One model's joined predictions by row of their id; the content is that of the first join."""

    count: Column = field(default_factory=_count_column)
    version: Column = field(default_factory=_count_column)
    value: Column = field(default_factory=_float_column)
    label: Column = field(default_factory=_float_column)


@dataclass(slots=True)
class TrainingOffsets:
    """The offsets of the feedback records that a learner must learn exactly once, by partition.

    These are the first feedback record with features of each id, and, for the model that they were
    released for, records `released` from quarantine, by model and partition.
    """

    offsets: dict[str, list[int]] = field(default_factory=dict)
    released: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    _seen_ids: set[int] = field(default_factory=set)

    def add(self, partition: str, offset: int, id_row: int) -> None:
        """Add a feedback record with features, unless an earlier one had the same id."""
        if id_row not in self._seen_ids:
            self._seen_ids.add(id_row)
            self.offsets.setdefault(partition, []).append(offset)

    def add_released(self, model: str, partition: str, offset: int) -> None:
        """Add a feedback record that was released from quarantine for one model."""
        self.released.setdefault(model, {}).setdefault(partition, []).append(offset)

    def offsets_for(self, model: str) -> dict[str, list[int]]:
        """Return the offsets that one model must learn, by partition, in ascending order."""
        released = self.released.get(model, {})
        return {
            partition: sorted([*self.offsets.get(partition, []), *released.get(partition, [])])
            for partition in self.offsets.keys() | released.keys()
        }
