"""The states of conformal sets in Redis, one for each stream; their readers know their content."""

import json
from collections.abc import Mapping
from typing import NamedTuple, Self

import redis
from redis.client import Pipeline

from modstream.models.registry.connection import (
    RegistrySettings,
    connect,
    translate_redis_errors,
)
from modstream.models.registry.errors import CalibrationMoved
from modstream.models.registry.keys import RegistryKeys
from modstream.models.registry.queries import decode_text

STATE = b"state:"
"""The first part of the field of a model's state."""


class Calibration(NamedTuple):
    """The state of a stream after the feedback before some offsets.

    `revision` counts the writes. `offsets` are the next ones by "topic:partition", `states` those
    of each model, and `thresholds` what workers read of them.
    """

    revision: int = 0
    offsets: Mapping[str, int] = {}
    states: Mapping[str, bytes] = {}
    thresholds: bytes = b""


class CalibrationTable:
    """The state of one stream. One calibrator writes it, workers read the thresholds."""

    def __init__(self, url: str, settings: RegistrySettings, stream: str) -> None:
        self._redis: redis.Redis = connect(url, settings)
        self._stream = stream
        self._key = RegistryKeys(settings.prefix).conformal(stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._redis.close()

    def read(self) -> Calibration:
        """Return the state; that without a revision if there is none.

        Raises:
            RegistryUnavailable: Redis does not answer.
        """
        with translate_redis_errors():
            found: dict[bytes, bytes] = self._redis.hgetall(self._key)  # type: ignore[assignment]
        if not found:
            return Calibration()
        states = {
            name.removeprefix(STATE).decode(): state
            for name, state in found.items()
            if name.startswith(STATE)
        }
        offsets = json.loads(found[b"offsets"])
        return Calibration(int(found[b"revision"]), offsets, states, found[b"thresholds"])

    def thresholds(self) -> bytes | None:
        """Return the thresholds, or None if there are none.

        Raises:
            RegistryUnavailable: Redis does not answer.
        """
        with translate_redis_errors():
            found = self._redis.hget(self._key, "thresholds")
        return found if isinstance(found, bytes) else None

    def write(self, new: Calibration) -> None:
        """Replace the state by its successor. A state that was lost is written again.

        A write whose reply was lost can be repeated.

        Raises:
            CalibrationMoved: the stored state is not the one before.
            RegistryUnavailable: Redis does not answer.
        """
        fields: dict[bytes, bytes | str] = {
            b"revision": str(new.revision),
            b"offsets": json.dumps(dict(new.offsets), sort_keys=True),
            b"thresholds": new.thresholds,
            **{STATE + name.encode(): state for name, state in new.states.items()},
        }

        def replace(pipeline: Pipeline) -> None:
            revision, offsets = pipeline.hmget(self._key, ["revision", "offsets"])
            pipeline.multi()
            if revision is not None:
                found = int(revision)
                if found == new.revision and decode_text(offsets) == fields[b"offsets"]:
                    return
                if found != new.revision - 1:
                    raise CalibrationMoved(self._stream, new.revision - 1, found)
            pipeline.delete(self._key)
            pipeline.hset(self._key, mapping=fields)  # type: ignore[arg-type]

        with translate_redis_errors():
            self._redis.transaction(replace, self._key)
