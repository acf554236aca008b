"""How a version is referred to: by its number, or by an alias that points at one."""

import re

from pydantic import TypeAdapter, ValidationError

from modstream.models.errors import InvalidAlias, ModelNotFound
from modstream.models.schema.card import ModelName

_NAME: TypeAdapter[str] = TypeAdapter(ModelName)
_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_VERSION = re.compile(r"[0-9]{1,18}")


def check_alias(alias: str) -> None:
    """Refuse an alias that is no plain lower-case word.

    Raises:
        InvalidAlias: it is not.
    """
    if not _ALIAS.fullmatch(alias):
        raise InvalidAlias(alias)


def read_ref(name: str, ref: int | str) -> int | str:
    """Read a reference as a client wrote it: a version as an int, an alias as a str.

    What cannot exist is refused here, so that no malformed name reaches the registry's server.

    Raises:
        ModelNotFound: there can be no such model, version or alias.
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
