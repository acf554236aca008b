"""What a command checks before it begins: that its servers answer, and that its stream exists."""

import re
from collections.abc import Callable
from contextlib import suppress
from threading import Event
from time import monotonic
from urllib.parse import urlsplit

import structlog

from modstream.broker.client.probe import list_topics
from modstream.broker.errors import BrokerUnavailable, LoginRefused
from modstream.broker.wire.topics import Topics
from modstream.errors import (
    KafkaLoginRefused,
    KafkaUnreachable,
    RedisLoginRefused,
    RedisUnreachable,
    UnknownName,
)
from modstream.models.registry.connection import ping
from modstream.models.registry.errors import RegistryLoginRefused, RegistryUnavailable
from modstream.settings import Settings, load_settings

RETRY_SECONDS = 0.5
"""Pause between two attempts of a service to reach a broker."""
REDIS_PLACE = re.compile(r"Error -?\d+ connecting to \S+ (.+?)\.?")
"""How redis-py words the reason why it cannot connect."""
TOPICS_SECONDS = 15.0
"""How long a broker that has just started may lack the topics of a stream."""


def require_kafka(settings: Settings) -> frozenset[str]:
    """Return the names of all topics in the cluster.

    Raises:
        KafkaLoginRefused: a broker does not accept the login.
        KafkaUnreachable: no broker answers within `connect_timeout`.
    """
    try:
        return list_topics(settings.connection, settings.connect_timeout)
    except LoginRefused as error:
        raise KafkaLoginRefused(settings.bootstrap, error.reason) from None
    except BrokerUnavailable as error:
        raise KafkaUnreachable(settings.bootstrap, _within(settings, error.reason)) from None


def require_redis(settings: Settings) -> None:
    """Check that the registry's Redis answers.

    Raises:
        RedisLoginRefused: it does not accept the login.
        RedisUnreachable: it does not within `connect_timeout`.
    """
    try:
        ping(settings.redis_url, settings.connect_timeout)
    except RegistryLoginRefused as error:
        raise RedisLoginRefused(redis_address(settings.redis), error.reason) from None
    except RegistryUnavailable as error:
        reason = _redis_reason(error.reason)
        address = redis_address(settings.redis)
        raise RedisUnreachable(address, _within(settings, reason)) from None


def check_redis_login(settings: Settings) -> None:
    """Check that Redis does not refuse the login; one that does not answer may be waited for.

    Raises:
        RedisLoginRefused: it does not accept the login.
    """
    with suppress(RedisUnreachable):
        require_redis(settings)


def require_servers() -> None:
    """Check that the Kafka and the Redis of the settings answer.

    Raises:
        KafkaLoginRefused: a broker does not accept the login.
        KafkaUnreachable: no broker answers within `connect_timeout`.
        RedisUnreachable: Redis does not.
    """
    settings = load_settings()
    require_kafka(settings)
    require_redis(settings)


def require_stream(settings: Settings) -> None:
    """Check that the topics of the settings' stream exist.

    Raises:
        KafkaLoginRefused: a broker does not accept the login.
        KafkaUnreachable: no broker answers within `connect_timeout`.
        UnknownName: the cluster has no topic of this stream.
    """
    names, topics = require_kafka(settings), settings.topics()
    own = {spec.name for spec in topics.specs(1)} - {topics.model_events}
    if own.isdisjoint(names):
        remedy = f"`modstream topics create {settings.stream}` creates it"
        streams = find_streams(settings.prefix, names)
        raise UnknownName("stream", settings.stream, streams, remedy)


def wait_for_stream(load: Callable[[], Settings], stop: Event) -> Settings:
    """Wait until a broker answers; return the settings that lead to it.

    The settings are read again at each attempt, so that a local stack is found that is started
    meanwhile. What is waited for is logged once for each address.

    Args:
        load: reads the settings.
        stop: ends the wait; the settings are then the last ones.

    Raises:
        KafkaLoginRefused: a broker does not accept the login, which waiting does not mend.
        UnknownName: the cluster has no topic of the settings' stream.
    """
    logged, last_outage = "", -TOPICS_SECONDS
    while True:
        settings = load()
        try:
            require_stream(settings)
            return settings
        except KafkaUnreachable as error:
            last_outage = monotonic()
            if logged != settings.bootstrap:
                logged = settings.bootstrap
                structlog.get_logger(__name__).warning(f"waiting: {error}")
        except UnknownName:
            if monotonic() - last_outage > TOPICS_SECONDS:
                raise
        if stop.wait(RETRY_SECONDS):
            return settings


def find_streams(prefix: str, names: frozenset[str]) -> set[str]:
    """Return the streams of an installation whose topic of requests is among these names."""
    suffix = Topics("").requests
    own = (name.removeprefix(prefix) for name in names if name.startswith(prefix))
    return {name.removesuffix(suffix) for name in own if name.endswith(suffix)}


def redis_address(url: str) -> str:
    """Return the host and port of a Redis URL, or the path of its socket, without credentials."""
    parts = urlsplit(url)
    if not parts.hostname:
        return parts.path or url
    return parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"


def _within(settings: Settings, reason: str) -> str:
    """Return a reason; if there was no answer, it says how long the command has waited for one."""
    if reason != "no answer":
        return reason
    return f"no answer within {settings.connect_timeout:g} s, MODSTREAM_CONNECT_TIMEOUT"


def _redis_reason(text: str) -> str:
    found = REDIS_PLACE.fullmatch(text)
    if found is not None:
        return found[1].lower()
    return "no answer" if text.startswith("Timeout") else text
