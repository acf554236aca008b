"""River transformers of our own, for linear models: features taken together, and bounded ones."""

from collections.abc import Mapping

from river.base import Transformer


class Crosses(Transformer):  # type: ignore[misc]  # River has no types.
    """Marks which values the features of each group have together.

    A group of one is a one-hot encoding, numbers included; a group of several is their cross, by
    which a linear model may hold a pair for more, or less, than the sum of its parts (H.-T. Cheng
    et al., "Wide & Deep Learning for Recommender Systems", 2016, section 3.1). Only what is there
    is named: a row has one mark a group, and costs as much. Learns nothing itself.
    """

    def __init__(self, *groups: tuple[str, ...]) -> None:
        self.groups = groups

    def transform_one(self, x: Mapping[str, object]) -> dict[str, float]:
        """One mark a group, named after its features and their values; a value missing is None."""
        return {
            f"{'*'.join(group)}={'*'.join([str(x.get(name)) for name in group])}": 1.0
            for group in self.groups
        }


class Clip(Transformer):  # type: ignore[misc]  # River has no types.
    """Bounds every number to [-bound, bound]: behind a scaler, deviations that are one storm's.

    A linear model learns in proportion to its inputs, so that a few outliers would do most of it.
    """

    def __init__(self, bound: float) -> None:
        self.bound = bound

    def transform_one(self, x: Mapping[str, float]) -> dict[str, float]:
        """The numbers, bounded."""
        bound = self.bound
        return {name: max(-bound, min(bound, value)) for name, value in x.items()}
