"""What a command that publishes has done, in words."""

from modstream.models.registry.refs import CHAMPION
from modstream.registry.publishing import Publication


def describe_publication(published: Publication, alias: str | None) -> str:
    """Return what a command that publishes has done, in one or two sentences."""
    card, is_new, current = published
    if is_new:
        done = f"published {card.name} version {card.version} ({card.runtime}, {card.size:,} bytes)"
        if alias is None or current == card.version:
            return done
        return f"{done}; meanwhile, another writer has moved the {alias} to version {current}"
    done = f"already published as version {card.version} of {card.name}: nothing was changed"
    if alias is None or current == card.version:
        return done
    where = "does not exist" if current is None else f"is version {current}"
    to = "" if alias == CHAMPION else f" --alias {alias}"
    return (
        f"{done}. The {alias} {where}:"
        f" `modstream models promote {card.name} {card.version}{to}` moves it"
    )
