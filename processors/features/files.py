"""The definitions of features in files."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from modstream.processors.errors import InvalidFeatures
from modstream.processors.features.definition import FeatureDefinitions
from modstream.processors.features.feature_set import FeatureSet
from modstream.processors.features.grids import Expanded, expand, place_of

MAX_BYTES = 4 * 1024 * 1024


def load_features(path: Path) -> FeatureSet:
    """Read the features of a file.

    Raises:
        InvalidFeatures: it cannot be read, or holds no valid definitions.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidFeatures(str(path), [f"it cannot be read: {error.strerror}"]) from None
    return parse_features(content, str(path))


def parse_features(content: bytes, source: str) -> FeatureSet:
    """Return the features that a TOML document defines; `source` names it in errors.

    Raises:
        InvalidFeatures: it is no TOML, or has no valid definitions.
    """
    if len(content) > MAX_BYTES:
        raise InvalidFeatures(source, [f"it has more than {MAX_BYTES:,} bytes"])
    try:
        document = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidFeatures(source, [f"this is no TOML document: {error}"]) from None
    entries = document.get("features")
    expanded = list(expand(entries)) if isinstance(entries, list) else []
    if expanded:
        document["features"] = [one.definition for one in expanded]
    try:
        return FeatureSet(FeatureDefinitions.model_validate(document))
    except ValidationError as error:
        problems = [
            _problem(expanded, one["loc"], one["type"], one["msg"])
            for one in error.errors(include_url=False, include_input=False)
        ]
    raise InvalidFeatures(source, list(dict.fromkeys(problems)))


def _problem(
    expanded: Sequence[Expanded], loc: Sequence[int | str], kind: str, message: str
) -> str:
    """Return a sentence with the place of the problem: the entry's number and name, the field."""
    message = message.removeprefix("Value error, ")
    if kind == "extra_forbidden":
        message = "there is no such setting: remove it, or correct its name"
    if kind == "missing":
        message = "it is required"
    parts = [str(one) for one in loc if one not in {"bool", "int", "float", "str"}]
    if len(loc) > 1 and loc[0] == "features" and isinstance(loc[1], int):
        parts[:2] = [place_of(expanded[loc[1]])]
    where = ": ".join([parts[0], ".".join(parts[1:])] if len(parts) > 1 else parts)
    return f"{where}: {message}" if where else message
