"""The port of the prediction stores, and what all of them check alike."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, Self

from modstream.models.prediction_store.errors import StoreMoved
from modstream.models.prediction_store.stored_prediction import StoredPrediction

NextOffsets = Mapping[str, int]
"""The next offset to read of each partition, by `topic:partition`."""


class VersionKeys(NamedTuple):
    """How many keys a version predicted, and when first and last, in ms since the epoch."""

    keys: int
    oldest: int
    newest: int


class PredictionStore(Protocol):
    """Keeps the newest prediction of each key, and the offsets up to which it has them.

    It is thread-safe. Every method may raise StoreUnavailable.
    """

    def get(self, model: str, key: str) -> StoredPrediction | None:
        """Return the newest prediction of a model for a key; None if there is none."""

    def write(
        self, predictions: Sequence[StoredPrediction], before: NextOffsets, after: NextOffsets
    ) -> None:
        """Replace the predictions of some keys, and move the offsets, in one transaction.

        Args:
            predictions: at most one for each model and key.
            before: the offsets that the store must have; a missing partition counts as 0.
            after: the offsets that it then has, of the same partitions.

        Raises:
            StoreMoved: the store has other offsets; nothing was written.
            StoreUnavailable: it is not known whether the transaction was committed.
        """

    def offsets(self, topic: str) -> dict[str, int]:
        """Return the next offset of each partition of a topic that was read."""

    def count_versions(self, model: str) -> dict[int, int]:
        """Return the number of keys by the version that predicted them."""

    def version_ages(self, model: str) -> dict[int, VersionKeys]:
        """Return the number of keys by the version that predicted them, and their ages.

        It takes time in proportion to the number of keys.
        """

    def by_other_versions(self, model: str, version: int) -> Iterator[StoredPrediction]:
        """Yield the predictions that other versions than this one have made.

        A prediction that is replaced meanwhile may be left out, or be yielded as it was.
        """

    def erase(self, model: str, key: str) -> bool:
        """Remove the prediction of a model for a key; return whether there was one.

        A later prediction is stored again.
        """

    def close(self) -> None:
        """Close the connections."""

    def __enter__(self) -> Self:
        """Return the store."""

    def __exit__(self, *_: object) -> None:
        """Close the store."""


def check_offsets(found: NextOffsets, expected: NextOffsets) -> None:
    """Check that a store has the offsets that its writer expects.

    Raises:
        StoreMoved: it has others.
    """
    for partition, offset in expected.items():
        if (actual := found.get(partition, 0)) != offset:
            raise StoreMoved(partition, offset, actual)
