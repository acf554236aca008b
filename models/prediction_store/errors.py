"""The errors of the prediction store.

StoreError
├── StoreUnavailable      the store is unreachable, too slow, or refuses the command
├── StoreMoved            another materializer has written beyond the offsets of this one
├── StoreLibraryMissing   the store needs a package that is not installed
└── UnknownStore          the URL is that of no supported store
"""

from modstream.models.errors import ModelError


class StoreError(ModelError):
    """The prediction store cannot perform the requested operation."""


class StoreUnavailable(StoreError):
    """The store is unreachable, too slow, or refuses the command."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(
            f"the prediction store at {address} is not available ({reason}): start it, or set"
            " MODSTREAM_PREDICTION_STORE__URL to the URL of a running one"
        )
        self.address, self.reason = address, reason


class StoreMoved(StoreError):
    """Another materializer has written beyond the offsets of this one; nothing was written."""

    def __init__(self, partition: str, expected: int, found: int) -> None:
        super().__init__(
            f"the prediction store has {partition} up to offset {found}, and this materializer"
            f" up to {expected}: another one writes to it; run one materializer for each stream"
        )
        self.partition, self.expected, self.found = partition, expected, found


class StoreLibraryMissing(StoreError):
    """The store needs a package that is not installed."""

    def __init__(self, store: str, extra: str) -> None:
        super().__init__(f"{store} needs further packages: pip install 'modstream[{extra}]'")
        self.store, self.extra = store, extra


class UnknownStore(StoreError):
    """The URL is that of no supported store; its text has no password."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address} is no prediction store: give the URL of a Redis (redis://host:6379/0) or"
            " of a PostgreSQL (postgresql://user@host/database)"
        )
        self.address = address
