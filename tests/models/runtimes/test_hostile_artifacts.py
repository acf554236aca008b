"""Malicious and broken artifacts are rejected without running their code."""

import copy
import json
from importlib import import_module
from io import BytesIO
from zipfile import ZipFile

import numpy as np
import onnxruntime as ort
import pytest
import skops.io
from river import compose, linear_model
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from modstream.models.errors import (
    ArtifactTooLarge,
    ExternalData,
    ForbiddenGlobal,
    UnreadableArtifact,
)
from modstream.models.runtimes.runtime import load
from modstream.models.runtimes.sklearn_types import TRUSTED_TYPES
from modstream.models.schema.artifact import MAX_ARTIFACT_BYTES, Artifact, check_artifact_size
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from tests.models import hostile_artifacts

_POINTS = np.random.default_rng(0).normal(size=(60, 2))
_LABELS = (_POINTS[:, 0] > 0).astype(int)


def card(runtime: str, artifact: bytes) -> ModelCard:
    """Return a card with the artifact's hash, so that the hash check does not reject it."""
    schema = InputSchema.of_floats(["a", "b"])
    spec = VersionSpec(
        name="m", runtime=runtime, task="multiclass", classes=(0, 1), input_schema=schema
    )
    return spec.make_card(1, Artifact(artifact))


def load_artifact(runtime: str, artifact: bytes) -> None:
    load(Artifact(artifact), card(runtime, artifact))


@pytest.fixture(autouse=True)
def no_harm(tmp_path, monkeypatch):
    """Load every artifact in an empty folder and check afterwards that nothing was written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "acts_when_imported.py"
    module.write_text("open('harmed', 'w').close()\n")
    yield
    assert [path.name for path in tmp_path.iterdir()] == ["acts_when_imported.py"]


def cases(artifacts: dict[str, bytes]):
    return [pytest.param(artifact, id=name) for name, artifact in artifacts.items()]


@pytest.mark.parametrize("pickled", cases(hostile_artifacts.forbidden_pickles()))
def test_a_pickle_with_a_forbidden_global_is_rejected(pickled):
    with pytest.raises(ForbiddenGlobal, match="not on the allow-list"):
        load_artifact("river", hostile_artifacts.river_artifact(pickled))


@pytest.mark.parametrize("pickled", cases(hostile_artifacts.broken_pickles()))
def test_a_pickle_that_is_not_a_model_is_rejected(pickled):
    with pytest.raises(UnreadableArtifact, match="the river artifact cannot be read"):
        load_artifact("river", hostile_artifacts.river_artifact(pickled))

    assert compose.Pipeline._LEARN_UNSUPERVISED_DURING_PREDICT is False
    assert "predict_proba_one" in vars(linear_model.LogisticRegression)
    assert linear_model.LogisticRegression.predict_proba_one is not None
    assert copy.deepcopy.__defaults__ == (None, [])


@pytest.mark.parametrize("artifact", cases(hostile_artifacts.broken_headers()))
def test_an_artifact_with_a_broken_header_is_rejected(artifact):
    with pytest.raises(UnreadableArtifact, match="the river artifact cannot be read"):
        load_artifact("river", artifact)


def test_the_error_for_another_river_release_says_what_to_do():
    artifact = hostile_artifacts.broken_headers()["other river"]

    with pytest.raises(
        UnreadableArtifact, match=r"River 0\.25\.0 wrote it, this is River .* train it again"
    ):
        load_artifact("river", artifact)


@pytest.mark.parametrize("artifact", cases(hostile_artifacts.external_data()))
def test_onnx_with_external_data_is_rejected(artifact):
    with pytest.raises(
        ExternalData, match=r"'w(_value)?' stores its data in another file: put all"
    ):
        load_artifact("onnx", artifact)


@pytest.mark.parametrize("artifact", cases(hostile_artifacts.broken_onnx()))
def test_onnx_that_does_not_fit_the_card_is_rejected(artifact):
    with pytest.raises(UnreadableArtifact, match="the onnx artifact cannot be read"):
        load_artifact("onnx", artifact)


def test_onnx_that_resembles_the_ort_format_is_read_as_onnx():
    disguised = hostile_artifacts.onnx_model()
    disguised.producer_name = "ORTM, the identifier of ONNX Runtime's own format"
    artifact = disguised.SerializeToString()
    batch = InputSchema.of_floats(["a", "b"]).parse_rows([{"a": 1, "b": 2}]).batch

    runtime = load(Artifact(artifact), card("onnx", artifact))

    assert artifact[4:8] == b"ORTM"
    with pytest.raises(Exception, match="ORT model verification failed"):
        ort.InferenceSession(artifact)
    np.testing.assert_array_equal(runtime.predict(batch), [[1, 2]])


def modified_skops(model: object, **changes: object) -> bytes:
    """Return a model's skops file with changed top-level fields of its description."""
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
            modified_skops(LogisticRegression(), __module__="subprocess", __class__="Popen"),
            id="a class that runs programs",
        ),
        pytest.param(
            modified_skops(LogisticRegression(), __module__="acts_when_imported", __class__="Any"),
            id="a module that acts when imported",
        ),
    ],
)
def test_a_skops_file_with_an_untrusted_type_is_rejected(artifact):
    with pytest.raises(ForbiddenGlobal, match="not on the allow-list"):
        load_artifact("sklearn", artifact)


@pytest.mark.parametrize(
    "artifact",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"PK\x03\x04 but no zip", id="not a zip file"),
        pytest.param(skops.io.dumps([1, 2]), id="not an estimator"),
        pytest.param(skops.io.dumps(LogisticRegression())[:-30], id="truncated"),
        pytest.param(
            modified_skops(LogisticRegression(), __loader__="NoSuchNode"), id="unknown node"
        ),
    ],
)
def test_a_skops_file_that_is_not_a_model_is_rejected(artifact):
    with pytest.raises(UnreadableArtifact, match="the sklearn artifact cannot be read"):
        load_artifact("sklearn", artifact)


def with_wild_positions(model, old, new):
    """Return a model's skops file in which the bytes of stored arrays are replaced."""
    file, replaced = BytesIO(), 0
    with ZipFile(BytesIO(skops.io.dumps(model))) as before, ZipFile(file, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name.endswith(".npy") and old in content:
                content, replaced = content.replace(old, new), replaced + 1
            after.writestr(name, content)
    assert replaced
    return file.getvalue()


def tree_with_wild_positions():
    model = DecisionTreeClassifier(max_depth=2, random_state=0).fit(_POINTS, _LABELS)
    nodes = model.tree_.__getstate__()["nodes"]
    wild = nodes.copy()
    wild["left_child"][0] = 1_000_000
    return with_wild_positions(model, nodes.tobytes(), wild.tobytes())


def boosting_with_wild_positions():
    model = HistGradientBoostingClassifier(max_iter=1, min_samples_leaf=2).fit(_POINTS, _LABELS)
    nodes = model._predictors[0][0].nodes
    wild = nodes.copy()
    wild["feature_idx"][0] = 1_000_000
    return with_wild_positions(model, nodes.tobytes(), wild.tobytes())


def neighbours_with_wild_positions():
    model = KNeighborsClassifier(algorithm="kd_tree", leaf_size=5).fit(_POINTS, _LABELS)
    order = np.asarray(model._tree.get_arrays()[1])
    return with_wild_positions(model, order.tobytes(), (order + 1_000_000).tobytes())


@pytest.mark.parametrize(
    "artifact",
    [tree_with_wild_positions, boosting_with_wild_positions, neighbours_with_wild_positions],
)
def test_a_skops_file_with_positions_outside_of_its_data_is_rejected(artifact):
    with pytest.raises(UnreadableArtifact, match="has positions outside of its own data"):
        load_artifact("sklearn", artifact())


def test_a_zip_bomb_is_rejected():
    with pytest.raises(ArtifactTooLarge, match="the limit is"):
        load_artifact("sklearn", hostile_artifacts.zip_bomb())


def test_a_size_above_the_limit_is_rejected():
    check_artifact_size(MAX_ARTIFACT_BYTES)

    with pytest.raises(ArtifactTooLarge, match="536,870,913 bytes"):
        check_artifact_size(MAX_ARTIFACT_BYTES + 1)


@pytest.mark.parametrize("name", TRUSTED_TYPES)
def test_a_trusted_type_is_one_of_the_libraries_own(name):
    module, _, attribute = name.rpartition(".")

    assert module.partition(".")[0] in {"functools", "numpy", "scipy", "sklearn"}
    assert callable(getattr(import_module(module), attribute))
