"""The cards of versions as text; this module imports no Redis client."""

from pydantic import ValidationError

from modstream.models.registry.errors import UnreadableCard
from modstream.models.schema.card import ModelCard


def parse_card(name: str, version: int, raw: bytes | str) -> ModelCard:
    """Parse a stored card.

    Raises:
        UnreadableCard: the card is damaged, has a format unknown to this code, or belongs to
            another version, whose valid signature must not vouch for this one.
    """
    try:
        card = ModelCard.model_validate_json(raw)
    except ValidationError as error:
        raise UnreadableCard(name, version, _first_problem(error)) from error
    if (card.name, card.version) != (name, version):
        found = f"it is the card of {card.name} version {card.version}"
        raise UnreadableCard(name, version, found)
    return card


def _first_problem(error: ValidationError) -> str:
    """Return the first problem of a card in one line, and how many more there are."""
    first, *others = error.errors(include_url=False, include_input=False)
    place = ".".join(map(str, first["loc"]))
    more = f", and {len(others)} more" if others else ""
    return f"{place}: {first['msg']}{more}" if place else f"{first['msg']}{more}"
