"""Redrives and releases for the dashboard: its orders, carried out on the topics."""

from collections.abc import Mapping
from types import MappingProxyType

from modstream.broker.client.transactional_publisher import TransactionalPublisher
from modstream.broker.errors import BrokerError
from modstream.broker.wire.records import Headers
from modstream.broker.wire.topics import Header
from modstream.dashboard.web.context import LetterAction, LetterOrder
from modstream.dashboard.web.errors import ActionFailed
from modstream.operations.redrive import Redrive, dead_letters, quarantined_rows
from modstream.processors.redrive.selection import LetterFilter
from modstream.settings import Settings

KINDS = MappingProxyType({"redrive": dead_letters, "release": quarantined_rows})
MAX_REASONS = 3
"""Number of records that cannot be sent and whose reason is given."""


class RedriveActions:
    """Carries out the orders of the dashboard; safe to use from several threads.

    Two redrives at the same time do not send a record twice: the second one ends the first.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def count(self, action: LetterAction, cause: str) -> Mapping[str, int]:
        """Return the number of records with a cause or rule, by state.

        Raises:
            ActionFailed: Kafka does not respond.
        """
        try:
            return self._redrive(action).scan().count_states(LetterFilter(cause))
        except BrokerError as error:
            raise ActionFailed(str(error)) from None

    def send_back(self, order: LetterOrder) -> str:
        """Send the due records back, each once, and return what was done, as a sentence.

        Raises:
            ActionFailed: not all could be sent; a repetition sends the others.
        """
        redrive = self._redrive(order.action, who_and_why(order))
        group = self._settings.topics().group(order.action)
        try:
            with TransactionalPublisher(redrive.connection, group) as publisher:
                result = redrive.run(LetterFilter(order.cause), publisher)
        except BrokerError as error:
            raise ActionFailed(str(error)) from None
        sent = f"{result.sent:,} sent back, by {order.user}: {order.reason}"
        if not result.refused:
            return sent
        examples = "; ".join(result.refused[:MAX_REASONS])
        return f"{sent}. {len(result.refused):,} cannot be sent: {examples}"

    def _redrive(self, action: LetterAction, headers: Headers = ()) -> Redrive:
        kind = KINDS[action](self._settings.topics())
        return Redrive(self._settings.connection, kind, headers=headers)


def who_and_why(order: LetterOrder) -> Headers:
    """Return the headers that say who has sent a record back, and why."""
    return (
        (Header.SENT_BACK_BY.value, order.user.encode(errors="replace")),
        (Header.SENT_BACK_REASON.value, order.reason.encode(errors="replace")),
    )
