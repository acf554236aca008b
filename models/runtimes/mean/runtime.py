"""The runtime of a mean: predicts with all parts, and combines their outputs."""

from collections.abc import Sequence
from dataclasses import dataclass

from modstream.models.errors import UnreadableArtifact
from modstream.models.runtimes.mean.artifact import MEAN, MeanPart, unpack
from modstream.models.runtimes.mean.combination import combine
from modstream.models.runtimes.runtime import Outputs, Runtime
from modstream.models.runtimes.runtime import load as load_runtime
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard, Task
from modstream.models.schema.input_schema import Batch


@dataclass(frozen=True, slots=True)
class LoadedPart:
    """A part of a mean, ready to predict; `names` are its features in its order."""

    runtime: Runtime
    names: tuple[str, ...]
    weight: float

    def predict(self, batch: Batch) -> Outputs:
        """Predict a batch that has at least the features of the part.

        Raises:
            PredictError: the machine-learning library failed.
        """
        return self.runtime.predict(narrow(batch, self.names))


@dataclass(frozen=True, slots=True)
class MeanRuntime:
    """A loaded mean; immutable."""

    parts: tuple[LoadedPart, ...]
    task: Task
    artifact: bytes
    name: str = MEAN

    def predict(self, batch: Batch) -> Outputs:
        """Predict every row with each part; see `combine` for the mean of their outputs."""
        outputs = [part.predict(batch) for part in self.parts]
        return combine(self.task, outputs, [part.weight for part in self.parts])

    def snapshot(self) -> bytes:
        """Return the artifact."""
        return self.artifact


def load(artifact: bytes, card: ModelCard) -> MeanRuntime:
    """Load a mean and all its parts.

    Raises:
        ArtifactError: the artifact is damaged, is not what the card describes, or a part cannot be
            loaded.
    """
    packed = unpack(artifact)
    _check_card(packed, card)
    return MeanRuntime(tuple(_load_part(part) for part in packed), card.task, artifact)


def narrow(batch: Batch, names: tuple[str, ...]) -> Batch:
    """Return a batch with some features only, in the order of `names`; the columns are shared."""
    if tuple(batch.columns) == names:
        return batch
    return Batch({name: batch.columns[name] for name in names}, batch.size)


def _check_card(packed: Sequence[MeanPart], card: ModelCard) -> None:
    first = packed[0].card
    if card.parts != tuple(part.record for part in packed):
        raise UnreadableArtifact(MEAN, "its parts are not those that the card names")
    if (card.task, card.scores) != (first.task, first.scores) or card.classes != first.classes:
        raise UnreadableArtifact(MEAN, "its task or classes are not those of its parts")
    missing = {name for part in packed for name in part.card.input_schema.names}
    missing -= set(card.input_schema.names)
    if missing:
        raise UnreadableArtifact(MEAN, f"the card lacks the features {', '.join(sorted(missing))}")


def _load_part(part: MeanPart) -> LoadedPart:
    runtime = load_runtime(Artifact(part.content), part.card)
    if not isinstance(runtime, Runtime):
        raise UnreadableArtifact(MEAN, f"a part predicts no array: {part.card.runtime}")
    return LoadedPart(runtime, part.card.input_schema.names, part.weight)
