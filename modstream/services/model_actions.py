"""Promotions and rollbacks for the dashboard: its orders, carried out on the registry."""

from collections.abc import Mapping

from modstream.broker.client.probe import list_topics
from modstream.broker.errors import BrokerError
from modstream.dashboard.web.context import Order
from modstream.dashboard.web.errors import ActionFailed
from modstream.models.errors import ModelError
from modstream.models.registry.history import alias_stack
from modstream.models.registry.registry import Registry
from modstream.registry import alias_moves
from modstream.registry.alias_moves import AliasChange
from modstream.settings import Settings


class RegistryActions:
    """Carries out the orders of the dashboard; safe to use from several threads.

    Kafka is asked before the registry, so that no alias moves without its event while Kafka is
    away.
    """

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self._settings, self._registry = settings, registry

    def aliases(self, model: str) -> Mapping[str, int]:
        """Return the version of each alias of a model; empty if there is no such model.

        Raises:
            ActionFailed: the registry does not respond.
        """
        try:
            return self._registry.aliases(model)
        except ModelError as error:
            raise ActionFailed(str(error)) from None

    def rollback_target(self, model: str, alias: str) -> int | None:
        """Return the version that a rollback would lead to, None if there is none.

        Raises:
            ActionFailed: the registry does not respond.
        """
        try:
            stack = alias_stack(self._registry.moves(model, alias))
        except ModelError as error:
            raise ActionFailed(str(error)) from None
        return stack[-2] if len(stack) > 1 else None

    def promote(self, order: Order, version: int) -> str:
        """Move the alias to a version, and return what was done, as a sentence.

        Raises:
            ActionFailed: it was not done, or its event could not be sent.
        """
        try:
            self._require_kafka()
            change = to_change(order)
            card = alias_moves.promote(self._settings, self._registry, change, version)
        except (ModelError, BrokerError) as error:
            raise ActionFailed(str(error)) from None
        return f"{order.alias} of {order.model} is version {card.version} now"

    def roll_back(self, order: Order) -> str:
        """Move the alias back to its previous version, and return what was done.

        Raises:
            ActionFailed: it was not done, or its event could not be sent.
        """
        try:
            self._require_kafka()
            card = alias_moves.roll_back(self._settings, self._registry, to_change(order))
        except (ModelError, BrokerError) as error:
            raise ActionFailed(str(error)) from None
        return f"{order.alias} of {order.model} is version {card.version} again"

    def _require_kafka(self) -> None:
        list_topics(self._settings.connection, self._settings.connect_timeout)


def to_change(order: Order) -> AliasChange:
    """Return the change of an alias that an order asks for."""
    return AliasChange(order.model, order.alias, order.expected, order.reason, order.user)
