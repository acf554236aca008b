"""Packages of functions: their libraries, their sizes, and a built one that answers by itself."""

import json
from importlib.metadata import distribution
from pathlib import Path
from zipfile import ZipFile

import pytest

from modstream.errors import InvalidValue, PackageTooLarge
from modstream.models.schema.artifact import Artifact
from modstream.packaging import archive
from modstream.packaging.archive import check_size, sizes_by_part, write_zip
from modstream.packaging.build import Contents, build_folder, build_zip
from modstream.packaging.cold_start import measure_folder, sample_event
from modstream.packaging.contents import write_settings
from modstream.packaging.libraries import fits, prune
from modstream.packaging.requirements import needed_libraries
from modstream.packaging.target import Target
from modstream.serverless_settings import ServerlessSettings
from modstream.settings import load_settings
from modstream.stack.signing_keys import ensure_home_key
from tests.models.constant_model import constant_onnx_artifact, constant_spec

HERE = Target.parse("x86_64", None)
SERVERLESS = ServerlessSettings("flights", "1", source="backup")


def names(runtime, source="backup", output="result", target=HERE):
    return {library.name.lower() for library in needed_libraries(runtime, source, output, target)}


def onnx_contents(number=1):
    artifact = Artifact(constant_onnx_artifact(number))
    card = constant_spec("flights", number, "onnx").make_card(number, artifact)
    return Contents(card, artifact, SERVERLESS, HERE)


@pytest.mark.parametrize(
    ("architecture", "python"), [("riscv", None), ("x86_64", "3.9"), ("arm64", "new")]
)
def test_a_target_that_does_not_exist_is_refused(architecture, python):
    with pytest.raises(InvalidValue, match="must be"):
        Target.parse(architecture, python)


def test_a_function_gets_only_what_its_model_needs():
    onnx, river = names("onnx"), names("river")

    assert {"onnxruntime", "numpy", "pydantic", "msgspec"} <= onnx
    assert onnx.isdisjoint({"confluent-kafka", "redis", "scikit-learn", "river", "faust-streaming"})
    assert "river" in river
    assert "onnxruntime" not in river
    assert "redis" in names("onnx", source="registry")
    assert "confluent-kafka" in names("onnx", output="kafka")


def test_a_runtime_that_loads_further_versions_is_refused():
    with pytest.raises(InvalidValue, match="pipeline cannot be packaged"):
        names("pipeline")


def test_as_many_modules_are_compiled_as_there_is_room(tmp_path):
    modules = [tmp_path / f"{name}.py" for name in "abc"]
    for module in modules:
        module.write_text("x = 1")
    archive.compile_modules(tmp_path, modules, 10**6)
    size = next(tmp_path.rglob("a*.pyc")).stat().st_size
    archive.remove_compiled(tmp_path)

    archive.compile_modules(tmp_path, modules, 2 * size)

    assert sorted(path.name[0] for path in tmp_path.rglob("*.pyc")) == ["a", "b"]


def test_installed_wheels_fit_only_their_own_platform():
    numpy, structlog = distribution("numpy"), distribution("structlog")
    other = "3.12" if HERE.python == (3, 11) else "3.11"

    assert fits(numpy, HERE) == HERE.runs_here
    assert not fits(numpy, Target.parse("arm64", None))
    assert not fits(numpy, Target.parse("x86_64", other))
    assert fits(structlog, Target.parse("arm64", "3.14"))


def test_parts_that_no_function_uses_are_deleted(tmp_path):
    for name in ("a/tests/big.bin", "a/x.pyi", "a/__pycache__/x.pyc", "a/x.py", "bin/tool"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")

    prune(tmp_path)

    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["x.py"]


def test_a_zip_file_is_the_same_whenever_its_content_is(tmp_path):
    folder = tmp_path / "content"
    for round_ in (1, 2):
        (folder / "inner").mkdir(parents=True, exist_ok=True)
        (folder / "inner" / "a.py").write_text("x = 1")
        (folder / "b.py").write_text("y = 2")
        write_zip(folder, tmp_path / f"{round_}.zip", 6)

    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    assert ZipFile(tmp_path / "1.zip").namelist() == ["b.py", "inner/a.py"]


def test_a_package_above_the_limit_names_its_largest_parts():
    with pytest.raises(PackageTooLarge, match=r"300 MB unzipped.*scipy 200 MB, numpy 100 MB"):
        check_size({"scipy": 200_000_000, "numpy": 100_000_000})
    check_size({"scipy": 200_000_000})


def test_shared_libraries_count_with_their_wheel(tmp_path):
    for name, size in (("numpy/a.py", 1), ("numpy.libs/b.so", 10), ("c.py", 5)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * size)

    assert list(sizes_by_part(tmp_path).items()) == [("numpy", 11), ("c.py", 5)]


def test_a_function_reads_the_settings_that_it_was_packaged_with(tmp_path, monkeypatch):
    _, public = ensure_home_key(tmp_path / "keys")
    given = load_settings(prefix='te"am\\', trusted_keys=(public,), max_request_bytes=77)
    write_settings(tmp_path, given, SERVERLESS)
    monkeypatch.chdir(tmp_path)

    found = load_settings()

    assert found.serverless == SERVERLESS
    assert (found.prefix, found.max_request_bytes) == (given.prefix, 77)
    assert found.trusted_keys == (public,)
    assert found.backup_dir == Path("backup")


def test_a_folder_that_has_content_is_not_overwritten(tmp_path):
    (tmp_path / "mine").write_text("x")

    with pytest.raises(InvalidValue, match="not empty"):
        build_folder(onnx_contents(), load_settings(), tmp_path)


@pytest.mark.long
@pytest.mark.thorough
@pytest.mark.skipif(not HERE.runs_here, reason="packages are built for Linux on x86_64")
def test_a_built_zip_answers_in_a_process_that_sees_nothing_else(tmp_path):
    contents, output = onnx_contents(), tmp_path / "function.zip"
    settings = load_settings(home=tmp_path, redis="redis://127.0.0.1:1/0", bootstrap="127.0.0.1:1")

    built = build_zip(contents, settings, output, level=1)

    folder = tmp_path / "unzipped"
    ZipFile(output).extractall(folder)
    assert built.unzipped == sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    assert built.unzipped < archive.UNZIPPED_LIMIT
    assert next(iter(built.sizes)) == "onnxruntime"
    event = {"requestContext": {"elb": {}}, "httpMethod": "POST", "path": "/", "headers": {}}
    event["body"] = json.dumps(sample_event(contents.card))
    found = measure_folder(folder, event, runs=1)
    answer = json.loads(found.answer["body"])
    assert (found.answer["statusCode"], answer["id"]) == (200, "sample")
    assert round(answer["outputs"]["probability"], 3) == 0.731
    assert not [path for path in found.modules if "site-packages" in path.parts]
