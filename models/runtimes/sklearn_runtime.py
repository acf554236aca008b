"""scikit-learn models that have no ONNX form, kept by skops and never by pickle.

skops (https://skops.readthedocs.io) stores a description that it rebuilds from types it knows;
this room adds the exact names below and refuses every other type by its name.
"""

from functools import partial
from io import BytesIO
from zipfile import ZipFile

import numpy as np
import skops.io
from sklearn.base import BaseEstimator

from modstream.models.errors import ForbiddenGlobal, PredictError, UnreadableArtifact
from modstream.models.runtimes.library_errors import translated
from modstream.models.runtimes.runtime import Outputs, output_shape
from modstream.models.runtimes.sklearn_introspection import answers
from modstream.models.schema.artifact import check_size
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch

TRUSTED = (
    "functools.partial",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils.validation.check_array",
)
"""The types that an artifact may use beyond those that skops itself trusts."""


def pack(model: BaseEstimator) -> bytes:
    """Write a fitted scikit-learn model as an artifact that `load` reads.

    Raises:
        ForbiddenGlobal: the model uses a type that `load` would refuse.
        UnreadableArtifact: skops cannot describe the model.
    """
    with translated(partial(UnreadableArtifact, "sklearn")):
        artifact: bytes = skops.io.dumps(model)
    unpack(artifact)
    return artifact


def load(artifact: bytes, card: ModelCard) -> "SklearnRuntime":
    """Rebuild a scikit-learn model from its description.

    Raises:
        ArtifactTooLarge: it would unpack to more than this room handles.
        ForbiddenGlobal: it uses a type that is not trusted.
        UnreadableArtifact: it is damaged or no scikit-learn model.
    """
    return SklearnRuntime(unpack(artifact), artifact, card)


def unpack(artifact: bytes) -> BaseEstimator:
    """Rebuild the estimator alone; raises as `load` does."""
    with translated(partial(UnreadableArtifact, "sklearn")):
        with ZipFile(BytesIO(artifact)) as packed:
            check_size(sum(entry.file_size for entry in packed.infolist()))
        forbidden = set(skops.io.get_untrusted_types(data=artifact)).difference(TRUSTED)
        if forbidden:
            raise ForbiddenGlobal(min(forbidden))
        model = skops.io.loads(artifact, trusted=list(TRUSTED))
    if not isinstance(model, BaseEstimator):
        raise UnreadableArtifact("sklearn", f"it holds a {type(model).__name__}, not an estimator")
    return model


class SklearnRuntime:
    """A fitted scikit-learn model and the artifact that it was rebuilt from."""

    name = "sklearn"

    def __init__(self, model: BaseEstimator, artifact: bytes, card: ModelCard) -> None:
        self._model = model
        self._artifact = artifact
        self._card = card

    def predict(self, batch: Batch) -> Outputs:
        """Answer every row as `Runtime.predict` says."""
        shape = output_shape(self._card, batch.size)
        if not batch.size:
            return np.empty(shape)
        with translated(partial(PredictError, self.name)):
            return answers(self._model, batch, self._card.task).reshape(shape)

    def snapshot(self) -> bytes:
        """Give back the artifact: a fitted model never changes."""
        return self._artifact
