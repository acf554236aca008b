"""Builds a package: a zip file for Lambda, or a folder that becomes a container image."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from modstream.errors import InvalidValue
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.packaging.archive import (
    UNZIPPED_LIMIT,
    check_size,
    compile_code,
    compile_modules,
    remove_compiled,
    sizes_by_part,
    write_zip,
)
from modstream.packaging.cold_start import measure_folder, sample_event
from modstream.packaging.contents import (
    copy_code,
    write_dockerfile,
    write_entry,
    write_settings,
    write_version,
)
from modstream.packaging.libraries import Place, install_libraries
from modstream.packaging.requirements import needed_libraries
from modstream.packaging.target import Target
from modstream.serverless_settings import ServerlessSettings
from modstream.settings import Settings

COMPRESSION_LEVEL = 6
RESERVED_BYTES = 1_000_000
"""Left free below the limit where only some modules are compiled."""

CompiledModules = Literal["all", "some", "none"]
"""All modules; as many as fit of those that a request imports; or none, for another Python."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package that was built; sizes are in bytes.

    `zipped` is None for a folder. `compiled` are the modules that need not be compiled when they
    are imported.
    """

    path: Path
    sizes: Mapping[str, int]
    zipped: int | None
    compiled: CompiledModules

    @property
    def unzipped(self) -> int:
        """The size of all files."""
        return sum(self.sizes.values())


@dataclass(frozen=True, slots=True)
class Contents:
    """What a package contains: a version, and how the function serves it."""

    card: ModelCard
    artifact: Artifact | None
    serverless: ServerlessSettings
    target: Target


def build_zip(
    contents: Contents, settings: Settings, output: Path, level: int = COMPRESSION_LEVEL
) -> Package:
    """Build a zip file for Lambda; `level` is its compression, 0 to 9.

    Raises:
        PackageTooLarge: Lambda does not take it; nothing is written.
        PackagingFailed: a library cannot be downloaded.
    """
    with TemporaryDirectory(prefix="modstream-package-") as temporary:
        folder = Path(temporary)
        _fill(folder, contents, settings, os.symlink)
        compiled = _compile(folder, contents)
        sizes = sizes_by_part(folder)
        check_size(sizes)
        output.parent.mkdir(parents=True, exist_ok=True)
        write_zip(folder, output, level)
    return Package(output, sizes, output.stat().st_size, compiled)


def build_folder(contents: Contents, settings: Settings, output: Path) -> Package:
    """Build a folder with a Dockerfile, for an image that Lambda runs; it may be larger.

    Raises:
        InvalidValue: the folder exists and is not empty.
        PackagingFailed: a library cannot be downloaded.
    """
    output.mkdir(parents=True, exist_ok=True)
    if any(output.iterdir()):
        raise InvalidValue(f"the folder {output} is not empty: choose another one with --output")
    _fill(output, contents, settings)
    write_dockerfile(output, contents.target.python_name)
    if contents.target.is_python_here:
        compile_code(output)
    compiled: CompiledModules = "all" if contents.target.is_python_here else "none"
    return Package(output, sizes_by_part(output), None, compiled)


def _fill(
    folder: Path, contents: Contents, settings: Settings, place: Place = shutil.copyfile
) -> None:
    """Write everything into a folder; `place` puts the libraries' files there."""
    serverless, target = contents.serverless, contents.target
    libraries = needed_libraries(
        contents.card.runtime, serverless.source, serverless.output, target
    )
    install_libraries(libraries, target, folder, place)
    copy_code(folder)
    write_settings(folder, settings, serverless)
    write_entry(folder)
    if contents.artifact is not None:
        write_version(folder, settings, contents.card, contents.artifact)


def _compile(folder: Path, contents: Contents) -> CompiledModules:
    """Compile as many modules as the limit allows: all, or else first those that are imported."""
    target = contents.target
    if not target.is_python_here:
        return "none"
    compile_code(folder)
    if sum(sizes_by_part(folder).values()) <= UNZIPPED_LIMIT:
        return "all"
    remove_compiled(folder)
    if not target.runs_here or contents.artifact is None:
        return "none"
    found = measure_folder(folder, sample_event(contents.card), runs=1)
    modules = [path for path in found.modules if path.suffix == ".py" and _is_in(folder, path)]
    room = UNZIPPED_LIMIT - RESERVED_BYTES - sum(sizes_by_part(folder).values())
    compile_modules(folder, modules, room)
    return "some"


def _is_in(folder: Path, path: Path) -> bool:
    return path.is_relative_to(folder) or path.is_relative_to(folder.resolve())
