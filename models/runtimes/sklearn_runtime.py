"""Runtime of scikit-learn models that have no ONNX form, stored with skops and never as pickles.

skops (https://skops.readthedocs.io) stores a description of the model and rebuilds it from types
that it trusts. `TRUSTED_TYPES` are added to those; every other type is rejected.
"""

from functools import partial
from io import BytesIO
from zipfile import ZipFile, is_zipfile

import numpy as np
import skops.io
from sklearn.base import BaseEstimator

from modstream.models.errors import ForbiddenGlobal, PredictError, UnreadableArtifact
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.runtime import NamedOutputs, Outputs, output_shape
from modstream.models.runtimes.sklearn_indices import check_indices
from modstream.models.runtimes.sklearn_introspection import InputBuilder, array_outputs
from modstream.models.runtimes.sklearn_outputs import NamedOutputReader, OutputSpec
from modstream.models.runtimes.sklearn_types import TRUSTED_TYPES
from modstream.models.schema.artifact import check_artifact_size
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch


def pack(model: BaseEstimator) -> bytes:
    """Write a fitted scikit-learn model as an artifact that `load` reads.

    Raises:
        ForbiddenGlobal: the model uses a type that `load` would reject.
        UnreadableArtifact: skops cannot describe the model.
    """
    return pack_and_rebuild(model)[0]


def pack_and_rebuild(model: BaseEstimator) -> tuple[bytes, BaseEstimator]:
    """Return a model's artifact and the model rebuilt from it; raise the same errors as `pack`."""
    with translate_library_errors(partial(UnreadableArtifact, "sklearn")):
        artifact: bytes = skops.io.dumps(model)
    return artifact, unpack(artifact)


def load(artifact: bytes, card: ModelCard) -> "SklearnRuntime | NamedSklearnRuntime":
    """Rebuild a scikit-learn model from its description.

    Raises:
        ArtifactTooLarge: its unpacked size is above the limit.
        ForbiddenGlobal: it uses a type that is not trusted.
        UnreadableArtifact: it is damaged or not a scikit-learn model that fits the card.
    """
    model = unpack(artifact)
    kind = NamedSklearnRuntime if card.output_form == "named" else SklearnRuntime
    with translate_library_errors(partial(UnreadableArtifact, "sklearn")):
        return kind(model, artifact, card)


def unpack(artifact: bytes) -> BaseEstimator:
    """Rebuild the estimator only; raise the same errors as `load`."""
    if not is_zipfile(BytesIO(artifact)):
        reason = "it is no skops file, or only a part of one: save it again with skops.io.dump"
        raise UnreadableArtifact("sklearn", reason)
    with translate_library_errors(partial(UnreadableArtifact, "sklearn")):
        with ZipFile(BytesIO(artifact)) as packed:
            check_artifact_size(sum(entry.file_size for entry in packed.infolist()))
        forbidden = set(skops.io.get_untrusted_types(data=artifact)).difference(TRUSTED_TYPES)
        if forbidden:
            raise ForbiddenGlobal(min(forbidden))
        model = skops.io.loads(artifact, trusted=list(TRUSTED_TYPES))
        check_indices(model)
    if not isinstance(model, BaseEstimator):
        raise UnreadableArtifact("sklearn", f"it is a {type(model).__name__}, not an estimator")
    return model


class SklearnRuntime:
    """A fitted scikit-learn model with an array of outputs, and its artifact."""

    name = "sklearn"

    def __init__(self, model: BaseEstimator, artifact: bytes, card: ModelCard) -> None:
        self._model = model
        self._artifact = artifact
        self._card = card
        self._inputs = InputBuilder(model)

    def predict(self, batch: Batch) -> Outputs:
        """Predict every row; see `Runtime.predict`."""
        shape = output_shape(self._card, batch.size)
        if not batch.size:
            return np.empty(shape)
        with translate_library_errors(partial(PredictError, self.name)):
            inputs = self._inputs.build(batch)
            return array_outputs(self._model, inputs, self._card.task).reshape(shape)

    def snapshot(self) -> bytes:
        """Return the artifact; a fitted model never changes."""
        return self._artifact


class NamedSklearnRuntime:
    """A fitted scikit-learn model with outputs by name, and its artifact."""

    name = "sklearn"

    def __init__(self, model: BaseEstimator, artifact: bytes, card: ModelCard) -> None:
        self._artifact = artifact
        self._inputs = InputBuilder(model)
        spec = OutputSpec(card.task, card.scores, card.classes, card.targets)
        self._reader = NamedOutputReader(model, spec)

    def predict_rows(self, batch: Batch) -> NamedOutputs:
        """Predict every row; see `NamedRuntime.predict_rows`."""
        if not batch.size:
            return []
        with translate_library_errors(partial(PredictError, self.name)):
            return self._reader.predict(self._inputs.build(batch))

    def snapshot(self) -> bytes:
        """Return the artifact; a fitted model never changes."""
        return self._artifact
