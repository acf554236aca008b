"""What callers may know of models: their metadata, and whether they are served."""

import re

from modstream.broker.wire.identifiers import MODEL_NAME_PATTERN
from modstream.producers.gateway.catalog import ModelCatalog
from modstream.producers.gateway.errors import NotFound
from modstream.producers.gateway.presence import WorkerPresence
from modstream.producers.gateway.protocol.metadata import ModelDescription

CHAMPION = "champion"
MODEL_NAME = re.compile(MODEL_NAME_PATTERN.removesuffix("$"))
MAX_VERSION_LENGTH = 64


def parse_version(text: str | None) -> int | str:
    """Return the version that a path names: a number or an alias, by default the champion.

    Raises:
        NotFound: it can be neither.
    """
    if not text:
        return CHAMPION
    if len(text) > MAX_VERSION_LENGTH:
        raise NotFound("there is no such version")
    if not (text.isascii() and text.isdigit()):
        return text
    number = int(text)
    if not 0 < number < 10**18:
        raise NotFound(f"there is no version {text}")
    return number


def require_model_name(name: str) -> None:
    """Check that a model can have this name.

    Raises:
        NotFound: it cannot, so there is no such model.
    """
    if MODEL_NAME.fullmatch(name) is None:
        raise NotFound("there is no model with such a name")


def describe_model(catalog: ModelCatalog, name: str, version: int | str) -> ModelDescription:
    """Return the description of a model or version.

    Raises:
        NotFound: it is not published.
        NotServing: the registry does not respond.
    """
    require_model_name(name)
    found = catalog.describe(name, version)
    if found is None:
        raise NotFound(f"model {name} has no version or alias {version}")
    return found


def model_readiness(
    catalog: ModelCatalog, presence: WorkerPresence, stream: str, name: str, version: int | str
) -> str | None:
    """Return the reason why requests to a model are not answered, or None.

    Raises:
        NotFound: the model is not published.
        NotServing: the registry does not respond.
    """
    describe_model(catalog, name, version)
    return presence.problem(stream)
