"""The echo model in the registry and in the workers."""

from contextlib import suppress
from itertools import count
from time import monotonic

from modstream.broker.client.admin import Admin
from modstream.broker.wire.partitioner import partition_for_key
from modstream.models.examples.echo import ECHO_FEATURE, make_echo
from modstream.models.registry.refs import CHAMPION
from modstream.producers.client.client import Client
from modstream.producers.errors import RequestRefused, ResponseTimeout
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


def wait_for_echo(settings: Settings, timeout_seconds: float) -> None:
    """Wait until the workers of all partitions have loaded the echo model, at most so long.

    Until then they answer requests for it with `model_loading`.
    """
    deadline = monotonic() + timeout_seconds
    topics = settings.topics()
    partitions = len(Admin(settings.connection).end_offsets([topics.requests]))
    with Client(settings.connection, topics) as client, suppress(ResponseTimeout):
        for partition in range(partitions):
            keys = (f"echo-{number}" for number in count())
            key = next(
                one for one in keys if partition_for_key(one.encode(), partitions) == partition
            )
            while not _is_loaded(client, key, deadline - monotonic()):
                pass


def _is_loaded(client: Client, key: str, timeout_seconds: float) -> bool:
    """Return whether the worker of a key's partition has loaded the echo model, or cannot.

    Raises:
        ResponseTimeout: no worker responds.
    """
    request = client.send({ECHO_FEATURE: 0.0}, key=key, model=ECHO_MODEL)
    try:
        client.wait(request, max(0.0, timeout_seconds))
    except RequestRefused as refused:
        return refused.code != "model_loading"
    return True
