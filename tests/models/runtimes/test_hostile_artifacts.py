import copy
import json
from io import BytesIO
from zipfile import ZipFile

import numpy as np
import onnxruntime as ort
import pytest
import skops.io
from river import compose, linear_model
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from modstream.models.errors import (
    ArtifactTooLarge,
    ExternalData,
    ForbiddenGlobal,
    UnreadableArtifact,
)
from modstream.models.runtimes.runtime import load
from modstream.models.schema.artifact import MAX_ARTIFACT_BYTES, check_size
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import Draft
from tests.models import hostile_artifacts

_HARMLESS = hostile_artifacts.onnx_model().SerializeToString()


def card(runtime: str, artifact: bytes) -> ModelCard:
    """A card that admits to the artifact: the hash alone protects from nothing here."""
    schema = InputSchema.floats(["a", "b"])
    draft = Draft(name="m", runtime=runtime, task="multiclass", classes=(0, 1), input_schema=schema)
    return draft.card(1, artifact)


def attempt(runtime: str, artifact: bytes) -> None:
    load(artifact, card(runtime, artifact))


@pytest.fixture(autouse=True)
def harm(tmp_path, monkeypatch):
    """Run every attempt in an empty folder and look afterwards whether anything happened."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "acts_when_imported.py"
    module.write_text("open('harmed', 'w').close()\n")
    yield
    assert [path.name for path in tmp_path.iterdir()] == ["acts_when_imported.py"]


def cases(artifacts: dict[str, bytes]):
    return [pytest.param(artifact, id=name) for name, artifact in artifacts.items()]


@pytest.mark.parametrize("pickled", cases(hostile_artifacts.forbidden_pickles()))
def test_a_pickle_that_names_what_no_model_needs_is_refused(pickled):
    with pytest.raises(ForbiddenGlobal, match="not on the allow-list"):
        attempt("river", hostile_artifacts.river_artifact(pickled))


@pytest.mark.parametrize("pickled", cases(hostile_artifacts.broken_pickles()))
def test_a_pickle_that_is_no_model_is_refused(pickled):
    with pytest.raises(UnreadableArtifact, match="the river artifact cannot be read"):
        attempt("river", hostile_artifacts.river_artifact(pickled))

    assert compose.Pipeline._LEARN_UNSUPERVISED_DURING_PREDICT is False
    assert "predict_proba_one" in vars(linear_model.LogisticRegression)
    assert linear_model.LogisticRegression.predict_proba_one is not None
    assert copy.deepcopy.__defaults__ == (None, [])


@pytest.mark.parametrize("artifact", cases(hostile_artifacts.broken_envelopes()))
def test_a_snapshot_with_another_envelope_is_refused(artifact):
    with pytest.raises(UnreadableArtifact, match="the river artifact cannot be read"):
        attempt("river", artifact)


def test_the_refusal_of_another_river_says_what_to_do():
    artifact = hostile_artifacts.broken_envelopes()["other river"]

    with pytest.raises(
        UnreadableArtifact, match=r"River 0\.25\.0 wrote it, this is River .* relearn"
    ):
        attempt("river", artifact)


@pytest.mark.parametrize("artifact", cases(hostile_artifacts.external_data()))
def test_onnx_with_data_in_files_is_refused_wherever_it_hides(artifact):
    with pytest.raises(ExternalData, match=r"'w(_value)?' keeps its data outside"):
        attempt("onnx", artifact)


@pytest.mark.parametrize("artifact", cases(hostile_artifacts.broken_onnx()))
def test_what_is_no_onnx_model_of_this_card_is_refused(artifact):
    with pytest.raises(UnreadableArtifact, match="the onnx artifact cannot be read"):
        attempt("onnx", artifact)


def test_onnx_dressed_as_orts_own_format_is_read_as_the_onnx_that_was_checked():
    dressed = hostile_artifacts.onnx_model()
    dressed.producer_name = "ORTM, as ONNX Runtime would recognise its own format"
    artifact = dressed.SerializeToString()
    batch = InputSchema.floats(["a", "b"]).batch([{"a": 1, "b": 2}]).batch

    runtime = load(artifact, card("onnx", artifact))

    assert artifact[4:8] == b"ORTM"
    with pytest.raises(Exception, match="ORT model verification failed"):
        ort.InferenceSession(artifact)
    np.testing.assert_array_equal(runtime.predict(batch), [[1, 2]])


def described(model: object, **changes: object) -> bytes:
    """Pack a model by skops and change the top of its description."""
    file = BytesIO()
    with ZipFile(BytesIO(skops.io.dumps(model))) as before, ZipFile(file, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "schema.json":
                content = json.dumps(json.loads(content) | changes).encode()
            after.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    "artifact",
    [
        pytest.param(
            skops.io.dumps(make_pipeline(FunctionTransformer(np.load), LogisticRegression())),
            id="a function that reads files",
        ),
        pytest.param(
            described(LogisticRegression(), __module__="subprocess", __class__="Popen"),
            id="a class that runs programs",
        ),
        pytest.param(
            described(LogisticRegression(), __module__="acts_when_imported", __class__="Any"),
            id="a module that acts when imported",
        ),
    ],
)
def test_a_description_with_a_strange_type_is_refused(artifact):
    with pytest.raises(ForbiddenGlobal, match="not on the allow-list"):
        attempt("sklearn", artifact)


@pytest.mark.parametrize(
    "artifact",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"PK\x03\x04 but no zip", id="no zip"),
        pytest.param(skops.io.dumps([1, 2]), id="no estimator"),
        pytest.param(skops.io.dumps(LogisticRegression())[:-30], id="truncated"),
        pytest.param(described(LogisticRegression(), __loader__="NoSuchNode"), id="unknown node"),
    ],
)
def test_a_description_of_no_model_is_refused(artifact):
    with pytest.raises(UnreadableArtifact, match="the sklearn artifact cannot be read"):
        attempt("sklearn", artifact)


def test_a_zip_that_would_unpack_to_gigabytes_is_refused():
    with pytest.raises(ArtifactTooLarge, match="the limit is"):
        attempt("sklearn", hostile_artifacts.bomb())


def test_a_size_above_the_limit_is_refused():
    check_size(MAX_ARTIFACT_BYTES)

    with pytest.raises(ArtifactTooLarge, match="536,870,913 bytes"):
        check_size(MAX_ARTIFACT_BYTES + 1)
