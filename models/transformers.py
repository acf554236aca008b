"""River transformers for linear models: feature crosses and clipping.

Pickled models refer to these classes by module and name; keep both.
"""

from collections.abc import Mapping

from river.base import Transformer


class Crosses(Transformer):  # type: ignore[misc]  # River has no types.
    """One-hot encodes the combination of values of each group of features.

    A group of one feature is a plain one-hot encoding, also of numbers. A group of several is a
    feature cross, which lets a linear model weigh a combination differently from the sum of its
    parts (H.-T. Cheng et al., "Wide & Deep Learning for Recommender Systems", 2016, section 3.1).
    The output is sparse: one feature per group. The transformer learns nothing.
    """

    def __init__(self, *groups: tuple[str, ...]) -> None:
        self.groups = groups

    def transform_one(self, x: Mapping[str, object]) -> dict[str, float]:
        """Return one feature of value 1 per group; missing features have the value None."""
        return {
            f"{'*'.join(group)}={'*'.join([str(x.get(name)) for name in group])}": 1.0
            for group in self.groups
        }


class Clip(Transformer):  # type: ignore[misc]  # River has no types.
    """Clips every number to [-bound, bound]; meant to follow a standard scaler.

    The update of a linear model is proportional to its inputs, so a few outliers, such as the
    weather of one storm, would otherwise dominate it.
    """

    def __init__(self, bound: float) -> None:
        self.bound = bound

    def transform_one(self, x: Mapping[str, float]) -> dict[str, float]:
        """Return the clipped numbers."""
        bound = self.bound
        return {name: max(-bound, min(bound, value)) for name, value in x.items()}
