"""Features taken together: a River transformer for linear models of categories."""

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
