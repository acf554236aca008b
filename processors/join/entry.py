"""The state of the join of one row of a request, as it is kept in memory and in the changelog."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

from pydantic import AliasChoices, ConfigDict, Field, TypeAdapter, with_config

from modstream.broker.wire.contracts import JoinedPrediction
from modstream.broker.wire.features import FeatureRow, JsonScalar
from modstream.broker.wire.identifiers import RowNumber, row_key
from modstream.broker.wire.records import Headers
from modstream.broker.wire.topics import Header
from modstream.broker.wire.trace_context import TRACE_PARENT
from modstream.processors.join.answers import Unlabellable

FIRST_ROW_WAITING = -1
"""The row of an entry with a label of row 0 whose request has no response yet. It is kept apart
from a label without a row number, which may belong to no row."""


class JoinState(StrEnum):
    """The state of the join of one row."""

    OPEN = "open"
    """One side has arrived and waits for the other."""
    JOINED = "joined"
    """Label and prediction have met; the entry is kept to recognise repeated labels."""
    GIVEN_UP = "given_up"
    """No label arrived within the horizon; the entry is kept to recognise late labels."""


def either(name: str, earlier_name: str) -> Any:  # noqa: ANN401 - as pydantic declares fields
    """Return a field that is read by its name, or by the name that earlier versions wrote."""
    return Field(validation_alias=AliasChoices(name, earlier_name))


@dataclass(frozen=True, slots=True)
class HeldLabel:
    """What is kept of a label; `row` is None if the label names no row.

    `due_from` is the time from which the horizon counts, if it is not `event_time`. `trace` is the
    header `traceparent` of its record, if it is sampled.
    """

    value: Annotated[JsonScalar, either("value", "label")]
    event_time: int
    revision: int = 0
    row: RowNumber | None = None
    due_from: int | None = None
    trace: str | None = None


class FirstPosition(NamedTuple):
    """The position of a label that was forwarded, in the partition that it was sent to."""

    partition: int
    offset: int


@with_config(ConfigDict(ser_json_bytes="base64", val_json_bytes="base64"))
@dataclass(frozen=True, slots=True)
class JoinEntry:
    """The state of one row. Features are kept until they have been published.

    `key` is the key of the messages; None stands for the id. `rows` is the number of rows of the
    request, None until its response has arrived. `due_from` is the time from which the horizon
    counts, if it is not `event_time`. `predictions` wait for the label;
    `joined_predictions` were published with a label and are kept for its revision. `models` have
    answered. `unlabellable` is why no row of this request can be joined. The offsets are those of
    the last prediction and label processed, and `label_origin` is the first position of the last
    label that was forwarded. `size` is an estimate, in bytes. `trace` is
    the header `traceparent` of the request, if it is sampled.

    Changelogs of earlier versions use the names that are given as second choices.
    """

    id: str
    key: bytes | None = None
    state: JoinState = JoinState.OPEN
    row: int = 0
    rows: int | None = None
    event_time: int | None = None
    due_from: int | None = None
    label: HeldLabel | None = None
    predictions: tuple[JoinedPrediction, ...] = ()
    joined_predictions: Annotated[
        tuple[JoinedPrediction, ...], either("joined_predictions", "sent")
    ] = ()
    features: FeatureRow | None = None
    features_sent: Annotated[bool, either("features_sent", "features_gone")] = False
    models: tuple[str, ...] = ()
    unlabellable: Unlabellable | None = None
    last_prediction_offset: Annotated[int, either("last_prediction_offset", "predicted_at")] = -1
    last_label_offset: Annotated[int, either("last_label_offset", "labelled_at")] = -1
    label_origin: FirstPosition | None = None
    size: int = 0
    trace: str | None = None

    @property
    def row_key(self) -> str:
        """What identifies the row among all rows of all requests."""
        return row_key(self.id, self.row)

    @property
    def message_key(self) -> bytes:
        """The key of the messages about this row."""
        return self.id.encode() if self.key is None else self.key

    @property
    def trace_headers(self) -> Headers:
        """The trace contexts of the messages about this row."""
        label = None if self.label is None else self.label.trace
        found = ((TRACE_PARENT, self.trace), (Header.LABEL_TRACE.value, label))
        return tuple((name, value.encode()) for name, value in found if value is not None)

    @property
    def is_open(self) -> bool:
        """Whether one side waits for the other."""
        return self.state is JoinState.OPEN and self.unlabellable is None

    @property
    def has_response(self) -> bool:
        """Whether a response to the request has arrived here, of whatever kind."""
        return bool(self.models) or self.rows is not None or self.unlabellable is not None

    @property
    def is_orphan(self) -> bool:
        """Whether a label waits for its prediction."""
        return self.state is JoinState.OPEN and self.label is not None and not self.models

    @property
    def is_waiting_for_label(self) -> bool:
        """Whether a prediction waits for its label."""
        return self.state is JoinState.OPEN and bool(self.predictions)


ENTRY_ADAPTER: TypeAdapter[JoinEntry] = TypeAdapter(JoinEntry)
"""Reads and writes the changelog's value of an entry."""


def expiry_time(entry: JoinEntry, horizon: int) -> int:
    """Return the event time (ms) after which an entry is given up or dropped."""
    label, predicted_at = entry.label, entry.due_from
    if predicted_at is None:
        predicted_at = entry.event_time
    labelled_at = None
    if label is not None:
        labelled_at = label.event_time if label.due_from is None else label.due_from
    is_kept_on = entry.state is JoinState.GIVEN_UP or entry.unlabellable is not None
    if is_kept_on and predicted_at is not None:
        return predicted_at + 2 * horizon
    return max(time for time in (predicted_at, labelled_at) if time is not None) + horizon
