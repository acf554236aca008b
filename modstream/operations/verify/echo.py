"""The echo model in the registry."""

from modstream.models.examples.echo import make_echo
from modstream.registry.access import open_registry
from modstream.registry.events import tell
from modstream.settings import Settings

ECHO = "verify-echo"
"""The name that is kept for it."""


def publish_echo(settings: Settings, name: str = ECHO) -> None:
    """Publish the echo model, unless it is there, and tell of it.

    Raises:
        ModelError: it could not be published.
    """
    with open_registry(settings) as registry:
        if registry.newest(name) is None:
            tell(settings, registry.publish(*make_echo(name)), "publish", "champion")
