"""The echo model in the registry."""

from modstream.models.examples.echo import make_echo
from modstream.models.registry.refs import CHAMPION
from modstream.registry.access import open_registry
from modstream.registry.events import publish_event
from modstream.settings import Settings

ECHO_MODEL = "verify-echo"
"""The reserved name of the echo model."""


def publish_echo(settings: Settings, name: str = ECHO_MODEL) -> None:
    """Publish the echo model and announce it, unless it exists.

    Raises:
        ModelError: the model could not be published.
    """
    with open_registry(settings) as registry:
        if registry.newest(name) is None:
            publish_event(settings, registry.publish(*make_echo(name)), "publish", CHAMPION)
