"""The prediction store in Redis: a hash for each model, and a hash of the offsets.

| key | contents |
|---|---|
| `PREFIX:predictions:MODEL` | hash of key to the prediction as JSON |
| `PREFIX:prediction-offsets` | hash of `topic:partition` to the next offset |
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self, cast
from urllib.parse import urlsplit

import redis

from modstream.models.prediction_store.errors import StoreUnavailable
from modstream.models.prediction_store.store import NextOffsets, VersionKeys, check_offsets
from modstream.models.prediction_store.stored_prediction import (
    StoredPrediction,
    from_document,
    to_document,
)
from modstream.models.registry.connection import RegistrySettings, connect

SCAN_COUNT = 1_000
"""Number of fields that one request of a scan returns."""
MAX_CONFLICTS = 20
"""How often a write begins again because another writer moved the offsets meanwhile."""


class RedisPredictionStore:
    """The newest predictions in Redis; see `modstream.models.prediction_store.store`."""

    def __init__(self, url: str, prefix: str, timeout_seconds: float) -> None:
        parts = urlsplit(url)
        self._address = f"{parts.hostname}:{parts.port or 6379}" if parts.hostname else parts.path
        self._prefix = prefix
        self._offsets = f"{prefix}:prediction-offsets"
        # The client's commands are typed for its asynchronous form, too.
        self._redis = cast("Any", connect(url, RegistrySettings(timeout_seconds=timeout_seconds)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, model: str, key: str) -> StoredPrediction | None:
        """Return the newest prediction of a model for a key; None if there is none."""
        with self._translated():
            document = self._redis.hget(self._hash(model), key)
        return None if document is None else from_document(model, key, document)

    def write(
        self, predictions: Sequence[StoredPrediction], before: NextOffsets, after: NextOffsets
    ) -> None:
        """Replace the predictions of some keys, and move the offsets, in one transaction."""
        documents: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        for one in predictions:
            documents[one.model][one.key] = to_document(one)
        with self._translated():
            for _ in range(MAX_CONFLICTS):
                if self._try_write(documents, before, after):
                    return
        raise StoreUnavailable(self._address, f"{MAX_CONFLICTS} conflicts with other writers")

    def _try_write(
        self, documents: dict[str, dict[str, bytes]], before: NextOffsets, after: NextOffsets
    ) -> bool:
        """Return whether the transaction was committed; false if the offsets were moved."""
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.watch(self._offsets)
            if before:
                found = pipeline.hmget(self._offsets, list(before))
                known = {name: int(value or 0) for name, value in zip(before, found, strict=True)}
                check_offsets(known, before)
            pipeline.multi()
            for model, fields in documents.items():
                pipeline.hset(self._hash(model), mapping=fields)
            if after:
                pipeline.hset(self._offsets, mapping=dict(after))
            try:
                pipeline.execute()
            except redis.WatchError:
                return False
        return True

    def offsets(self, topic: str) -> dict[str, int]:
        """Return the next offset of each partition of a topic that was read."""
        with self._translated():
            found = self._redis.hgetall(self._offsets)
        names = {name.decode(): int(offset) for name, offset in found.items()}
        return {name: at for name, at in names.items() if name.rpartition(":")[0] == topic}

    def count_versions(self, model: str) -> dict[int, int]:
        """Return the number of keys by the version that predicted them."""
        return dict(Counter(one.version for one in self._scan(model)))

    def version_ages(self, model: str) -> dict[int, VersionKeys]:
        """Return the number of keys by the version that predicted them, and their ages."""
        found: dict[int, VersionKeys] = {}
        for one in self._scan(model):
            keys, oldest, newest = found.get(one.version, (0, one.created, one.created))
            found[one.version] = VersionKeys(
                keys + 1, min(oldest, one.created), max(newest, one.created)
            )
        return found

    def by_other_versions(self, model: str, version: int) -> Iterator[StoredPrediction]:
        """Yield the predictions that other versions than this one have made."""
        return (one for one in self._scan(model) if one.version != version)

    def erase(self, model: str, key: str) -> bool:
        """Remove the prediction of a model for a key; return whether there was one."""
        with self._translated():
            return bool(self._redis.hdel(self._hash(model), key))

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _scan(self, model: str) -> Iterator[StoredPrediction]:
        """Yield all predictions of a model, each once: a scan may return a field again.

        Only the hashes of the keys are kept to recognise them.
        """
        cursor, seen = 0, set[int]()
        while True:
            with self._translated():
                cursor, fields = self._redis.hscan(self._hash(model), cursor, count=SCAN_COUNT)
            for name, document in fields.items():
                if (digest := hash(name)) not in seen:
                    seen.add(digest)
                    yield from_document(model, name.decode(), document)
            if not cursor:
                return

    def _hash(self, model: str) -> str:
        return f"{self._prefix}:predictions:{model}"

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            reason = str(error) or type(error).__name__
            raise StoreUnavailable(self._address, reason) from error
