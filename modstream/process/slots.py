"""Slots: the identities of running services, each of which one process of a home directory has.

Two workers with the same instance id have the same transactional ids, so that Kafka fences the
earlier one. Two learners of a model would both publish its versions.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count, islice
from pathlib import Path
from urllib.parse import quote

import structlog

from modstream.errors import LockHeld, SlotTaken
from modstream.locks import find_holder, hold_lock
from modstream.settings import Settings

SLOT_FOLDER = "slots"
"""Name of the folder of all slots in a home directory."""


@contextmanager
def claim_worker(settings: Settings) -> Iterator[None]:
    """Hold the slot of a worker as long as the context.

    Raises:
        SlotTaken: a worker of this home directory has the same instance id.
    """
    instance = settings.instance_name
    (free,) = free_instances(settings, 1)
    service = f"worker {instance} of stream {settings.stream}"
    remedy = f"choose another instance id, such as --instance-id {free}"
    with _claim(_worker_slot(settings, instance), service, remedy):
        yield


@contextmanager
def claim_model(settings: Settings, service: str, model: str) -> Iterator[None]:
    """Hold the slot of the only service of its kind for a model as long as the context.

    Raises:
        SlotTaken: such a service for this model runs from this home directory.
    """
    slot = _slot(settings, f"{settings.topics().group(service)}-{model}")
    remedy = "stop it first, or choose another model with --model"
    with _claim(slot, f"the {service} of model {model}", remedy):
        yield


@contextmanager
def claim_stream(settings: Settings, service: str) -> Iterator[None]:
    """Hold the slot of the only service of its kind for a stream as long as the context.

    Raises:
        SlotTaken: such a service for this stream runs from this home directory.
    """
    slot = _slot(settings, settings.topics().group(service))
    remedy = "stop it first, or name another stream"
    with _claim(slot, f"the {service} of stream {settings.stream}", remedy):
        yield


def free_instances(settings: Settings, number: int) -> list[str]:
    """Return the lowest numbers that are the instance ids of no worker of this home directory."""
    instances = map(str, count())
    free = (one for one in instances if find_holder(_worker_slot(settings, one)) is None)
    return list(islice(free, number))


def _worker_slot(settings: Settings, instance: str) -> Path:
    return _slot(settings, f"{settings.topics().group('worker')}-{instance}")


def _slot(settings: Settings, name: str) -> Path:
    return settings.home / SLOT_FOLDER / f"{quote(name, safe='')}.lock"


@contextmanager
def _claim(path: Path, service: str, remedy: str) -> Iterator[None]:
    """Hold a slot; if its file cannot be locked, this is logged, and the service runs without."""
    with ExitStack() as held:
        try:
            held.enter_context(hold_lock(path))
        except LockHeld as error:
            raise SlotTaken(service, error.pid, error.command, remedy) from None
        except OSError as error:
            structlog.get_logger(__name__).warning("slot not locked", cause=str(error))
        yield
