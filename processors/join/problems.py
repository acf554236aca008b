"""Why a label cannot be joined with the response of its request."""

from modstream.broker.wire.contracts import Label, UnjoinedReason
from modstream.processors.join.answers import Unlabellable
from modstream.processors.join.entry import JoinEntry


def problem_of(
    label: Label, main: JoinEntry | None, entry: JoinEntry | None
) -> Unlabellable | None:
    """Return why a label cannot be joined, as far as its request's response is known."""
    for known in (entry, main):
        if known is not None and known.unlabellable is not None:
            return known.unlabellable
    rows = next((known.rows for known in (entry, main) if known and known.rows), None)
    return None if rows is None else row_problem(label.row, rows)


def row_problem(row: int | None, rows: int) -> Unlabellable | None:
    """Return why a label's row number does not fit a request of `rows` rows, or None."""
    if row is None and rows > 1:
        detail = f"the request has {rows} rows: the label must say of which one it is, in `row`"
        return Unlabellable(UnjoinedReason.ROW_MISSING, detail, rows)
    if row is not None and row >= rows:
        detail = f"there is no row {row}: the request has {rows}, numbered from 0"
        return Unlabellable(UnjoinedReason.ROW_UNKNOWN, detail, rows)
    return None
