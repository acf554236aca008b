"""References to a version: its number, or an alias that points at it."""

import re

from pydantic import TypeAdapter, ValidationError

from modstream.models.registry.errors import InvalidAlias, ModelNotFound
from modstream.models.schema.card import ModelName

CHAMPION = "champion"
"""The alias of the version that serves."""
CHALLENGER = "challenger"
"""The alias of the version that is tested against the champion."""
LAST_GOOD = "last-good"
"""The alias of the last champion that stayed free of alarms, to which alarms roll back."""
NEXT_LAST_GOOD = "next-last-good"
"""The alias of the version that becomes the last-good one if no alarm follows, so that retention
keeps its artifact until then."""
CHECKPOINT = "checkpoint"
"""The alias that moves along recent champions, so that retention keeps their artifacts."""
DEFAULT_ALIAS = CHAMPION
"""The alias that a request or command without a version refers to."""

_NAME: TypeAdapter[str] = TypeAdapter(ModelName)
_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_VERSION = re.compile(r"[0-9]{1,18}")


def check_alias(alias: str) -> None:
    """Raise if an alias is not a plain lower-case word.

    Raises:
        InvalidAlias: the alias has other characters, starts with a digit, or is too long.
    """
    if not _ALIAS.fullmatch(alias):
        raise InvalidAlias(alias)


def parse_ref(name: str, ref: int | str) -> int | str:
    """Return a client's reference as a version number (int) or an alias (str).

    References that cannot exist are rejected here, so a malformed name never reaches Redis.

    Raises:
        ModelNotFound: the name is not a model name, or the reference is neither a version number
            nor an alias.
    """
    try:
        _NAME.validate_python(name)
    except ValidationError:
        raise ModelNotFound(name, ref) from None
    if isinstance(ref, int) or _VERSION.fullmatch(ref):
        return int(ref)
    if _ALIAS.fullmatch(ref):
        return ref
    raise ModelNotFound(name, ref)
