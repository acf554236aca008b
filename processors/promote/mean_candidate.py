"""A candidate that answers with the mean of other candidates. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from modstream.models.runtimes.mean.combination import combine
from modstream.models.runtimes.runtime import Outputs
from modstream.models.schema.card import Task
from modstream.processors.promote.state_rollback import FrozenModel


@dataclass(slots=True)
class MeanCandidate:
    """The mean of some candidates, and its newest version.

    Attributes:
        parts: the names of the candidates.
        weights: the weight of each.
        published: the newest version, which has states of the parts at some time; None before the
            first.
    """

    parts: tuple[str, ...]
    weights: tuple[float, ...]
    published: FrozenModel | None = None

    def outputs(self, task: Task, outputs: Mapping[str, Outputs | None]) -> Outputs | None:
        """Return the mean of the parts' outputs for some rows, (n,) or (n, k).

        None is returned if a part has no outputs for these rows.
        """
        found = [outputs.get(part) for part in self.parts]
        known = [one for one in found if one is not None]
        return combine(task, known, self.weights) if len(known) == len(found) else None
