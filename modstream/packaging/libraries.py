"""Libraries in a folder: copied from here where they fit the target, else downloaded."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import Distribution
from pathlib import Path, PurePosixPath

from packaging.tags import parse_tag

from modstream.errors import PackagingFailed
from modstream.packaging.target import Target

UNUSED_SUFFIXES = frozenset({".a", ".c", ".cpp", ".h", ".hpp", ".pxd", ".pyi", ".pyx", ".whl"})
"""Files that are of use only to compilers and type checkers."""
UNUSED_FOLDERS = frozenset({"__pycache__", "tests"})
UNUSED_PATHS = (
    "onnx/backend/test",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
)
"""Test data and tools that take much room and that no function imports."""


Place = Callable[[Path, Path], object]
"""Makes the second path a file with the content of the first."""


def install_libraries(
    libraries: Sequence[Distribution], target: Target, folder: Path, place: Place = shutil.copyfile
) -> None:
    """Put libraries into a folder, without the parts that a function does not use.

    Raises:
        PackagingFailed: one cannot be downloaded for the target.
    """
    missing = [one for one in libraries if not fits(one, target)]
    for library in libraries:
        if library not in missing:
            _copy(library, folder, place)
    if missing:
        _download(missing, target, folder)
    prune(folder)


def fits(library: Distribution, target: Target) -> bool:
    """Return whether the files of an installed library are those of a wheel for the target."""
    wheel = library.read_text("WHEEL") or ""
    names = [line.removeprefix("Tag:").strip() for line in wheel.splitlines() if "Tag:" in line]
    tags = {tag for name in names for tag in parse_tag(name)}
    return bool(library.files) and not tags.isdisjoint(target.tags)


def prune(folder: Path) -> None:
    """Delete what no function uses."""
    for unused in UNUSED_PATHS:
        shutil.rmtree(folder / unused, ignore_errors=True)
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and path.name in UNUSED_FOLDERS:
            shutil.rmtree(path)
        elif path.suffix in UNUSED_SUFFIXES and path.is_file():
            path.unlink()
    shutil.rmtree(folder / "bin", ignore_errors=True)


def is_unused(path: PurePosixPath) -> bool:
    """Return whether a file of a library is one that `prune` would delete."""
    return path.suffix in UNUSED_SUFFIXES or not UNUSED_FOLDERS.isdisjoint(path.parts[:-1])


def _copy(library: Distribution, folder: Path, place: Place) -> None:
    for file in library.files or ():
        source = Path(str(library.locate_file(file))).absolute()
        if ".." in file.parts or is_unused(file) or not source.is_file():
            continue
        copied = folder / file
        copied.parent.mkdir(parents=True, exist_ok=True)
        place(source, copied)


def _download(libraries: Sequence[Distribution], target: Target, folder: Path) -> None:
    wanted = [f"{library.name}=={library.version}" for library in libraries]
    done = subprocess.run(
        [*_installer(target), "--target", str(folder), "--no-deps", *wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = "; ".join(done.stderr.strip().splitlines()[-3:])
        raise PackagingFailed(f"the libraries {', '.join(wanted)} were not downloaded: {reason}")


def _installer(target: Target) -> list[str]:
    """Return the beginning of the command that downloads wheels: that of pip, or else of uv."""
    wheels = ["--only-binary=:all:", "--python-version", target.python_name]
    module = [sys.executable, "-m", "pip"]
    if subprocess.run([*module, "--version"], capture_output=True, check=False).returncode == 0:
        platforms = [f"--platform={name}" for name in target.platforms]
        quiet = ["--quiet", "--disable-pip-version-check", "--no-compile"]
        return [*module, "install", *quiet, *wheels, "--implementation", "cp", *platforms]
    uv = shutil.which("uv")
    if uv is None:
        raise PackagingFailed("neither pip nor uv is installed: `python -m ensurepip` installs pip")
    newest = target.platforms[0].removeprefix("manylinux_2_").partition("_")
    return [
        uv,
        "pip",
        "install",
        "--quiet",
        *wheels,
        f"--python-platform={newest[2]}-manylinux_2_34",
    ]
