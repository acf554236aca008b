"""Hostile model files, given to the importers of `models publish`, and to a worker's loader.

Each is refused with its typed error before any of its code runs. `tests/models/runtimes` has the
artifacts of River and ONNX in greater depth.
"""

import json
import os
import pickle
import socket
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import joblib
import numpy as np
import onnx
import pytest
import skops.io
from onnx import TensorProto
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

from modstream.models.errors import (
    ArtifactError,
    ArtifactTooLarge,
    ExternalData,
    ForbiddenGlobal,
    HashMismatch,
    NotConvertible,
    PickleNotTrusted,
    TrialFailed,
    UnknownModelFile,
    UnreadableArtifact,
    UntrustedModel,
)
from modstream.models.importers.description import ModelDescription
from modstream.models.importers.import_file import import_file
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.security.signing import SigningKey, Trust
from modstream.models.serving.loader import load_version
from modstream.models.trial.process import TrialProcess
from modstream.models.trial.settings import TrialLimits
from tests.models import hostile_artifacts
from tests.models.hostile_artifacts import river_artifact
from tests.models.onnx_graphs import allocating_graph, looping_graph, summing_graph

DESCRIBED = ModelDescription(
    features=(Feature(name="x0", kind="float"), Feature(name="x1", kind="float"))
)
CANARY = "harmed"


class Call:
    """An object that is pickled as the call of a function by its name."""

    def __init__(self, function: Callable, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


HARM = Call(os.system, f"touch {CANARY}")
POINTS = np.random.default_rng(0).normal(size=(40, 2))


def gadget(module: str, name: str, *arguments: str) -> bytes:
    """Return a pickle that calls a global with texts, made without importing its module."""
    texts = "".join(f"V{one}\n" for one in arguments)
    return f"c{module}\n{name}\n({texts}tR.".encode()


def through_resolve_name() -> bytes:
    """Return a pickle that finds os.system by a function that scanners have taken for harmless."""
    found = b"cpkgutil\nresolve_name\n(Vos:system\ntR"
    return found + f"(Vtouch {CANARY}\ntR.".encode()


GADGETS = {
    "pkgutil.resolve_name": through_resolve_name(),
    "importlib.import_module": gadget("importlib", "import_module", "acts_when_imported"),
    "pydoc.locate": gadget("pydoc", "locate", "acts_when_imported"),
    "runpy.run_path": gadget("runpy", "run_path", "acts_when_imported.py"),
    "timeit.timeit": gadget("timeit", "timeit", f"open('{CANARY}','w')"),
    "cProfile.run": gadget("cProfile", "run", f"open('{CANARY}','w')"),
    "bdb.Bdb.run": gadget("bdb", "Bdb.run", f"open('{CANARY}','w')"),
    "code.interact": gadget("code", "interact"),
    "posix.system": gadget("posix", "system", f"touch {CANARY}"),
    "os of another module": gadget("logging", "os.system", f"touch {CANARY}"),
    "numpy.f2py.crackfortran": gadget("numpy.f2py.crackfortran", "getlincoef", "1"),
    "numpy.testing.runstring": gadget("numpy.testing._private.utils", "runstring", "1"),
    "operator.methodcaller": gadget("operator", "methodcaller", "system"),
    "pip.main": gadget("pip", "main", "install"),
    "urllib.urlopen": gadget("urllib.request", "urlopen", "http://127.0.0.1:9/"),
    "ctypes.CDLL": gadget("ctypes", "CDLL", "libc.so.6"),
    "shutil.rmtree": gadget("shutil", "rmtree", "."),
    "a pickle in numpy's objects": pickle.dumps(np.array([HARM], dtype=object)),
    "before an invalid opcode": gadget("posix", "system", f"touch {CANARY}")[:-1] + b"\xff",
}
"""Pickles that run code when they are loaded, also such as scanners of pickles have let through."""


def npy_of_objects() -> bytes:
    file = BytesIO()
    np.save(file, np.array([HARM], dtype=object), allow_pickle=True)
    return file.getvalue()


def joblib_file(**options) -> bytes:
    file = BytesIO()
    joblib.dump(HARM, file, **options)
    return file.getvalue()


PICKLES = {
    "model.pkl": pickle.dumps(HARM),
    "model.pickle": pickle.dumps({"model": [HARM]}),
    "model.joblib": joblib_file(),
    "compressed.joblib": joblib_file(compress=("zlib", 9)),
    "xz.joblib": joblib_file(compress=("xz", 3)),
    "zlib.pkl": zlib.compress(pickle.dumps(HARM)),
    "numpy.pkl": npy_of_objects(),
    "MODEL.PKL": pickle.dumps(HARM),
    "truncated.pkl": pickle.dumps(HARM)[:-3],
}
"""Files that the suffix alone gives away as pickles."""


def skops_with(change: Callable[[dict], None], **files: bytes) -> bytes:
    """Return the skops file of a model with another description, and more members."""
    model, file = LogisticRegression().fit(POINTS, POINTS[:, 0] > 0), BytesIO()
    with ZipFile(BytesIO(skops.io.dumps(model))) as before, ZipFile(file, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name == "schema.json":
                document = json.loads(content)
                change(document)
                content = json.dumps(document).encode()
            after.writestr(name, content)
        for name, content in files.items():
            after.writestr(name, content)
    return file.getvalue()


def typed(module: str, name: str, **more: object) -> bytes:
    return skops_with(lambda schema: schema.update(__module__=module, __class__=name, **more))


def first_array(document: object) -> dict:
    """Return the first node of a skops description that names a file of an array."""
    found = document if isinstance(document, dict) else {}
    if found.get("type") == "numpy":
        return found
    values = found.values() if found else document if isinstance(document, list) else ()
    return next((one for one in map(first_array, values) if one), {})


def with_pickled_array() -> bytes:
    """Return a skops file one of whose arrays is an array of pickled objects."""

    def change(document: dict) -> None:
        first_array(document)["file"] = "evil.npy"

    return skops_with(change, **{"evil.npy": npy_of_objects()})


def with_symlink() -> bytes:
    """Return a skops file whose description is a symbolic link to a file of the system."""
    file = BytesIO()
    with ZipFile(file, "w") as archive:
        link = ZipInfo("schema.json")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return file.getvalue()


def real_zip_bomb() -> bytes:
    """Return 600 MB of zeros, packed to 0.6 MB."""
    file = BytesIO()
    with (
        ZipFile(file, "w", ZIP_DEFLATED) as archive,
        archive.open("schema.json", "w", force_zip64=True) as member,
    ):
        for _ in range(600):
            member.write(bytes(1 << 20))
    return file.getvalue()


SKOPS: dict[str, tuple[Callable[[], bytes], type[Exception]]] = {
    "a function": (lambda: skops.io.dumps(FunctionTransformer(os.system)), ForbiddenGlobal),
    "a class that runs programs": (lambda: typed("subprocess", "Popen"), ForbiddenGlobal),
    "a method of operator": (
        lambda: typed("operator", "methodcaller", __loader__="OperatorFuncNode", attrs={}),
        ArtifactError,
    ),
    "a method by its name": (
        lambda: typed("builtins", "eval", __loader__="MethodNode", content={}),
        ArtifactError,
    ),
    "a module that acts when imported": (
        lambda: typed("acts_when_imported", "Any"),
        ForbiddenGlobal,
    ),
    "a pickled array": (with_pickled_array, ArtifactError),
    "a symbolic link": (with_symlink, UnreadableArtifact),
    "a pickle": (lambda: pickle.dumps(HARM), UnreadableArtifact),
    "truncated": (lambda: typed("a", "b")[:-40], UnreadableArtifact),
    "a declared zip bomb": (hostile_artifacts.zip_bomb, ArtifactTooLarge),
    "a zip bomb": (real_zip_bomb, ArtifactTooLarge),
}


def with_dimensions(*sizes: int) -> bytes:
    """Return a model with an initializer that is large by its dimensions, and has no data."""
    model = hostile_artifacts.onnx_model()
    model.graph.initializer.add(name="huge", data_type=TensorProto.FLOAT, dims=sizes)
    model.graph.node[0].CopyFrom(onnx.helper.make_node("Add", ["features", "huge"], ["y"]))
    return model.SerializeToString()


ONNX: dict[str, tuple[bytes, type[Exception]]] = {
    **{
        f"external data, {name}": (content, ExternalData)
        for name, content in hostile_artifacts.external_data().items()
    },
    "a terabyte by dimensions": (with_dimensions(1 << 20, 1 << 18), UnreadableArtifact),
    "more dimensions than numbers": (with_dimensions(*[1 << 62] * 4), UnreadableArtifact),
    "negative dimensions": (with_dimensions(-5), UnreadableArtifact),
    "truncated": (summing_graph()[:-20], UnreadableArtifact),
    "a pickle": (pickle.dumps(HARM), UnreadableArtifact),
}


@pytest.fixture(autouse=True)
def no_harm(tmp_path, monkeypatch):
    """Run each test in a folder of its own; check that nothing was written or connected to."""
    connected = []

    def refuse(_socket, address):
        connected.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "acts_when_imported.py").write_text(f"open('{CANARY}', 'w').close()\n")
    (tmp_path / "files").mkdir()
    yield
    assert {path.name for path in tmp_path.iterdir()} == {"acts_when_imported.py", "files"}
    assert not list(tmp_path.rglob(CANARY))
    assert connected == []


def refused(name: str, content: bytes, error: type[Exception], **options) -> None:
    """Check that the importers refuse a file."""
    path = Path("files") / name
    path.write_bytes(content)
    with pytest.raises(error):
        import_file("m", path, trust_pickle=False, description=DESCRIBED, **options)


@pytest.mark.parametrize("name", PICKLES)
def test_a_pickle_is_not_opened_without_trust(name):
    refused(name, PICKLES[name], PickleNotTrusted)


@pytest.mark.parametrize("name", GADGETS)
def test_a_river_file_with_a_gadget_is_refused(name):
    refused("model.river", river_artifact(GADGETS[name]), ForbiddenGlobal)


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=[pytest.mark.slow] * (one == "a zip bomb")) for one in SKOPS]
)
def test_a_hostile_skops_file_is_refused(name):
    make, error = SKOPS[name]
    refused("model.skops", make(), error)


@pytest.mark.parametrize("name", ONNX)
def test_a_hostile_onnx_file_is_refused(name):
    content, error = ONNX[name]
    refused("model.onnx", content, error)


@pytest.mark.parametrize("suffix", [".pt", ".h5", ".keras", ".safetensors", ".npy", ".zip", ""])
def test_a_file_of_another_kind_is_not_opened(suffix):
    refused(f"model{suffix}", pickle.dumps(HARM), UnknownModelFile)


@pytest.mark.parametrize("suffix", [".json", ".ubj", ".txt", ".model", ".cbm", ".mean"])
def test_a_pickle_under_another_suffix_is_refused(suffix):
    refused(f"model{suffix}", pickle.dumps(HARM), (UnknownModelFile, ArtifactError))


YAML_CALL = f"flavors: !!python/object/apply:os.system ['touch {CANARY}']\n"
YAML_BOMB = "\n".join(
    ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    + [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    + ["flavors: {}"]
)
MLFLOW: dict[str, tuple[str, type[Exception]]] = {
    "a pickle": ('{"flavors": {"sklearn": {"pickled_model": "model.pkl"}}}', PickleNotTrusted),
    "a path outside": ('{"flavors": {"onnx": {"data": "../model.onnx"}}}', UnreadableArtifact),
    "an absolute path": ('{"flavors": {"onnx": {"data": "/etc/passwd"}}}', UnreadableArtifact),
    "a link outside": ('{"flavors": {"onnx": {"data": "link.onnx"}}}', UnreadableArtifact),
    "no file": ('{"flavors": {"onnx": {"data": "none.onnx"}}}', UnreadableArtifact),
    "code in YAML": (YAML_CALL, UnreadableArtifact),
    "a bomb of YAML": (YAML_BOMB, NotConvertible),
    "5 MB of text": ("# " + "x" * 5_000_000, UnreadableArtifact),
    "code paths only": ('{"flavors": {"python_function": {"code": "."}}}', NotConvertible),
}


@pytest.mark.parametrize("name", MLFLOW)
def test_a_hostile_folder_of_mlflow_is_refused(name):
    text, error = MLFLOW[name]
    folder = Path("files")
    (folder / "MLmodel").write_text(text)
    (folder / "model.pkl").write_bytes(pickle.dumps(HARM))
    (folder / "link.onnx").symlink_to("/etc/passwd")

    with pytest.raises(error):
        import_file("m", folder, trust_pickle=False)


class Registry:
    """A registry that returns the bytes which an attacker has put there."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def artifact(self, _card: object) -> Artifact:
        return Artifact(self.content)


def card_of(content: bytes, runtime: str = "river", name: str = "m", **fields):
    schema = InputSchema.of_floats(["x0", "x1"])
    spec = VersionSpec(name=name, runtime=runtime, task="regression", input_schema=schema, **fields)
    return spec.make_card(1, Artifact(content))


EVIL = river_artifact(pickle.dumps(HARM))


def test_a_worker_loads_nothing_that_no_trusted_key_has_signed():
    key, stranger = SigningKey.generate(), SigningKey.generate()
    trust, card = Trust([key.public_key]), card_of(EVIL)
    signed = key.sign(card)
    foreign = stranger.sign(card.model_copy(update={"name": "of-another-installation"}))
    for one in (
        card,
        stranger.sign(card),
        foreign,
        signed.model_copy(update={"version": 2}),
        signed.model_copy(update={"name": "n"}),
        signed.model_copy(update={"runtime": "sklearn"}),
        signed.model_copy(update={"signature": "not base64 ="}),
        signed.model_copy(update={"signature": ""}),
    ):
        with pytest.raises(UntrustedModel):
            load_version(Registry(EVIL), trust, one, 1)


def test_a_worker_loads_no_other_bytes_than_those_of_the_card():
    key, good = SigningKey.generate(), summing_graph()
    card = key.sign(card_of(good, "onnx"))

    for content in (EVIL, good[:-1], good + b"\0", b""):
        with pytest.raises(HashMismatch):
            load_version(Registry(content), Trust([key.public_key]), card, 1)


@pytest.mark.parametrize("name", GADGETS)
def test_a_worker_runs_no_gadget_even_of_a_trusted_version(name):
    key, content = SigningKey.generate(), river_artifact(GADGETS[name])

    with pytest.raises(ArtifactError):
        load_version(Registry(content), Trust([key.public_key]), key.sign(card_of(content)), 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "content", [looping_graph(), allocating_graph(2**31)], ids=["endless loop", "8 GB by dimension"]
)
def test_a_worker_tries_a_model_in_a_process_that_has_limits(monkeypatch, content):
    monkeypatch.undo()  # the trial is asked over a local socket
    with TrialProcess(TrialLimits(seconds=2.0, memory_bytes=2**29)) as trials:
        card = card_of(content, "onnx")
        with pytest.raises(TrialFailed):
            load_version(
                Registry(content),
                Trust(),
                card,
                1,
                trial=lambda card, artifact: trials.run(card, artifact, ()),
            )
