"""The progress of a precompute run: which rows were sent, which of them are unanswered.

Rows are sent in their order. An answer settles its row, except for the error that the model is
being loaded: the row is then sent again, under the id of the next attempt.

The progress is small enough to be written often: besides counters, it has the unanswered rows only.
Together with the offsets from which the topics of requests and of answers are read again, it
restores the progress of a run that was killed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from modstream.processors.precompute.request_ids import RowAttempt

LOADING = "model_loading"
"""The code of the error that a model is being loaded, so that a later request can be answered."""
NOT_SENT = "not_sent"
"""The code of a row that no request can have: it was not sent."""


@dataclass(slots=True)
class RunProgress:
    """The rows of a run; `unanswered` and `waiting` have the attempt by the number of the row."""

    sent: int = 0
    """How many rows were sent, or found to be unsendable: the number of the next row."""
    unanswered: dict[int, int] = field(default_factory=dict)
    """The attempt of each row that was sent and has no answer yet."""
    waiting: dict[int, int] = field(default_factory=dict)
    """The next attempt of each row that is to be sent again."""
    predicted: dict[int, int] = field(default_factory=dict)
    """The number of rows by the version that predicted them."""
    refused: dict[str, int] = field(default_factory=dict)
    """The number of rows by the code of their error."""

    @property
    def settled(self) -> int:
        """How many rows have their final answer."""
        return sum(self.predicted.values()) + sum(self.refused.values())

    @property
    def in_flight(self) -> int:
        """How many rows were sent and are not settled."""
        return len(self.unanswered) + len(self.waiting)

    def note_sent(self, row: int, attempt: int = 1) -> None:
        """Add an attempt that was sent; the first attempts are sent in the order of the rows."""
        if row >= self.sent:
            self.note_unsendable(row - self.sent)
            self.sent = row + 1
            self.unanswered[row] = attempt
            return
        is_open = row in self.waiting or row in self.unanswered
        if is_open and attempt >= self.waiting.get(row, 0):
            self.waiting.pop(row, None)
            self.unanswered[row] = max(attempt, self.unanswered.get(row, 0))

    def note_unsendable(self, rows: int = 1) -> None:
        """Add rows that were passed over, because no request can have them."""
        if rows > 0:
            self.sent += rows
            self.refused[NOT_SENT] = self.refused.get(NOT_SENT, 0) + rows

    def settle(self, answer: RowAttempt, version: int | None, code: str | None) -> bool:
        """Add the answer to an attempt.

        Args:
            answer: the row and the attempt that it answers.
            version: the version that predicted the row; None for an error.
            code: the code of the error; None for a prediction.

        Returns:
            Whether the row is settled by it; false if the answer was known, or is to be awaited.
        """
        row, attempt = answer
        if self.unanswered.get(row) != attempt:
            return False
        del self.unanswered[row]
        if code == LOADING:
            self.waiting[row] = attempt + 1
            return False
        if version is not None:
            self.predicted[version] = self.predicted.get(version, 0) + 1
        else:
            code = code or "unknown"
            self.refused[code] = self.refused.get(code, 0) + 1
        return True

    def recover(self, found: Iterable[RowAttempt]) -> None:
        """Add the attempts that the requests topic has since the progress was written."""
        for row, attempt in sorted(found):
            self.note_sent(row, attempt)
