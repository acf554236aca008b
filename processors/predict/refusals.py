"""Refusals of a batch, and the dead letter of a record that nothing else can be made of."""

import structlog

from modstream.broker.errors import InternalError
from modstream.broker.wire.records import ProducerRecord, Record
from modstream.processors.predict.responses import OnRefusal, ResponseWriter

STAGE = "TRANSFORMATION"
"""The stage of Kafka Connect in whose place handling a record fails."""


class Refusals:
    """The refusals of a batch, which are reported once its handling has succeeded."""

    def __init__(self, on_refusal: OnRefusal) -> None:
        self._on_refusal = on_refusal
        self._noted: list[tuple[str, str | None]] = []

    def note(self, code: str, model: str | None) -> None:
        """Note a refusal by its error code and its model."""
        self._noted.append((code, model))

    @property
    def count(self) -> int:
        """The number of refusals that are not reported yet."""
        return len(self._noted)

    def truncate(self, count: int) -> None:
        """Forget all refusals but the first ones, since their records are handled again."""
        del self._noted[count:]

    def report(self) -> None:
        """Call the hook with each refusal; a hook that raises is logged."""
        noted, self._noted = self._noted, []
        for code, model in noted:
            try:
                self._on_refusal(code, model)
            except Exception:  # noqa: BLE001 - a user's hook
                structlog.get_logger(__name__).exception("hook failed", hook="on_refusal")


def last_resort_letter(
    writer: ResponseWriter, record: Record, error: InternalError
) -> ProducerRecord:
    """Return the dead letter of a record that cannot be handled.

    If the record itself is what no dead letter can be made of, the letter has its position only.
    """
    try:
        return writer.dead_letter(record, error, STAGE)
    except Exception:  # noqa: BLE001 - whatever is wrong with the record, it leaves
        return writer.dead_letter(record._replace(key=None, value=None, headers=()), error, STAGE)
