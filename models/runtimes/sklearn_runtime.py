"""Runtime of scikit-learn models that have no ONNX form, stored with skops and never as pickles.

skops (https://skops.readthedocs.io) stores a description of the model and rebuilds it from types
that it trusts. `TRUSTED_TYPES` are added to those; every other type is rejected.
"""

from functools import partial
from io import BytesIO
from zipfile import ZipFile

import numpy as np
import skops.io
from sklearn.base import BaseEstimator

from modstream.models.errors import ForbiddenGlobal, PredictError, UnreadableArtifact
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.runtimes.runtime import Outputs, output_shape
from modstream.models.runtimes.sklearn_introspection import predict_array
from modstream.models.schema.artifact import check_artifact_size
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch

TRUSTED_TYPES = (
    "functools.partial",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils.validation.check_array",
)
"""The types that an artifact may use in addition to those that skops itself trusts."""


def pack(model: BaseEstimator) -> bytes:
    """Write a fitted scikit-learn model as an artifact that `load` reads.

    Raises:
        ForbiddenGlobal: the model uses a type that `load` would reject.
        UnreadableArtifact: skops cannot describe the model.
    """
    with translate_library_errors(partial(UnreadableArtifact, "sklearn")):
        artifact: bytes = skops.io.dumps(model)
    unpack(artifact)
    return artifact


def load(artifact: bytes, card: ModelCard) -> "SklearnRuntime":
    """Rebuild a scikit-learn model from its description.

    Raises:
        ArtifactTooLarge: its unpacked size is above the limit.
        ForbiddenGlobal: it uses a type that is not trusted.
        UnreadableArtifact: it is damaged or not a scikit-learn model.
    """
    return SklearnRuntime(unpack(artifact), artifact, card)


def unpack(artifact: bytes) -> BaseEstimator:
    """Rebuild the estimator only; raise the same errors as `load`."""
    with translate_library_errors(partial(UnreadableArtifact, "sklearn")):
        with ZipFile(BytesIO(artifact)) as packed:
            check_artifact_size(sum(entry.file_size for entry in packed.infolist()))
        forbidden = set(skops.io.get_untrusted_types(data=artifact)).difference(TRUSTED_TYPES)
        if forbidden:
            raise ForbiddenGlobal(min(forbidden))
        model = skops.io.loads(artifact, trusted=list(TRUSTED_TYPES))
    if not isinstance(model, BaseEstimator):
        raise UnreadableArtifact("sklearn", f"it is a {type(model).__name__}, not an estimator")
    return model


class SklearnRuntime:
    """A fitted scikit-learn model and the artifact it was rebuilt from."""

    name = "sklearn"

    def __init__(self, model: BaseEstimator, artifact: bytes, card: ModelCard) -> None:
        self._model = model
        self._artifact = artifact
        self._card = card

    def predict(self, batch: Batch) -> Outputs:
        """Predict every row; see `Runtime.predict`."""
        shape = output_shape(self._card, batch.size)
        if not batch.size:
            return np.empty(shape)
        with translate_library_errors(partial(PredictError, self.name)):
            return predict_array(self._model, batch, self._card.task).reshape(shape)

    def snapshot(self) -> bytes:
        """Return the artifact; a fitted model never changes."""
        return self._artifact
