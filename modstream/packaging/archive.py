"""The sizes of a package, and its zip file, which is the same whenever its content is."""

from collections import Counter
from collections.abc import Iterable, Mapping
from compileall import compile_dir, compile_file
from importlib.util import cache_from_source
from pathlib import Path
from py_compile import PycInvalidationMode
from shutil import rmtree
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from modstream.errors import PackageTooLarge

UNZIPPED_LIMIT = 250 * 1024 * 1024
"""Maximum size of an unzipped package in bytes. Source:
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""
DIRECT_UPLOAD_LIMIT = 50 * 1024 * 1024
"""Larger zip files are uploaded by way of S3."""
FIRST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def compile_code(folder: Path) -> None:
    """Compile all modules, since a function cannot write compiled ones where its code is.

    They are never checked against their source, whose time a zip file does not keep.
    """
    mode = PycInvalidationMode.UNCHECKED_HASH
    compile_dir(folder, quiet=2, stripdir=str(folder), invalidation_mode=mode)


def compile_modules(folder: Path, modules: Iterable[Path], room: int) -> None:
    """Compile modules in their order, as long as the result takes at most `room` bytes."""
    mode = PycInvalidationMode.UNCHECKED_HASH
    for module in modules:
        compile_file(module, quiet=2, stripdir=str(folder), invalidation_mode=mode)
        compiled = Path(cache_from_source(str(module)))
        size = compiled.stat().st_size if compiled.exists() else 0
        if size > room:
            compiled.unlink()
            return
        room -= size


def remove_compiled(folder: Path) -> None:
    """Delete the compiled modules."""
    for path in sorted(folder.rglob("__pycache__")):
        rmtree(path)


def sizes_by_part(folder: Path) -> Mapping[str, int]:
    """Return the bytes of each top-level part of a package, the largest first.

    A folder with the shared libraries of a wheel counts with its wheel.
    """
    sizes: Counter[str] = Counter()
    for path in folder.rglob("*"):
        if path.is_file():
            part = path.relative_to(folder).parts[0]
            sizes[part.removesuffix(".libs")] += path.stat().st_size
    return dict(sizes.most_common())


def check_size(sizes: Mapping[str, int]) -> None:
    """Raise PackageTooLarge if Lambda does not take a package of these sizes."""
    size = sum(sizes.values())
    if size > UNZIPPED_LIMIT:
        raise PackageTooLarge(size, UNZIPPED_LIMIT, sizes)


def write_zip(folder: Path, output: Path, level: int) -> None:
    """Write a folder as a zip file, in a fixed order and with fixed times; `level` is 0 to 9."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    temporary = output.with_name(f".{output.name}.new")
    try:
        with ZipFile(temporary, "w", ZIP_DEFLATED, compresslevel=level) as archive:
            for path in files:
                info = ZipInfo(path.relative_to(folder).as_posix(), FIRST_ZIP_DATE)
                info.external_attr, info.compress_type = 0o644 << 16, ZIP_DEFLATED
                archive.writestr(info, path.read_bytes())
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
