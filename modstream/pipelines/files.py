"""The definitions of pipelines in files, and their check against the registry."""

from dataclasses import dataclass
from pathlib import Path

from modstream.errors import UnknownName
from modstream.models.errors import InvalidPipeline
from modstream.models.pipelines.checks import CheckedPipeline, check_pipeline
from modstream.models.pipelines.pipeline import Pipeline, parse_pipeline
from modstream.models.pipelines.step_checks import FindCard

SUFFIX = ".toml"


@dataclass(frozen=True, slots=True)
class PipelineFile:
    """A file with the definition of a pipeline, which has been parsed."""

    path: Path
    content: bytes
    pipeline: Pipeline

    @property
    def name(self) -> str:
        """The pipeline's name, under which requests ask it."""
        return self.pipeline.definition.name


def read_pipeline(path: Path) -> PipelineFile:
    """Read the definition in a file.

    Raises:
        InvalidPipeline: the file cannot be read, or holds no valid definition.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidPipeline(str(path), [f"it cannot be read: {error.strerror}"]) from None
    return PipelineFile(path, content, parse_pipeline(content, str(path)))


def definition_files(folder: Path) -> list[Path]:
    """Return the files with definitions in a folder, by name; none if there is no such folder."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def find_pipeline(folder: Path, name: str) -> PipelineFile:
    """Return the definition in a file, or of that name in the folder of pipelines.

    Raises:
        UnknownName: there is neither such a file nor such a pipeline.
        InvalidPipeline: the file cannot be read, or holds no valid definition.
    """
    given = Path(name)
    if given.suffix == SUFFIX:
        return read_pipeline(given)
    if (folder / f"{name}{SUFFIX}").exists():
        return read_pipeline(folder / f"{name}{SUFFIX}")
    names: list[str] = []
    for path in definition_files(folder):
        try:
            found = read_pipeline(path)
        except InvalidPipeline:
            continue
        if found.name == name:
            return found
        names.append(found.name)
    raise UnknownName("pipeline", name, names, f"its definition belongs in {folder}/{name}{SUFFIX}")


def check_file(file: PipelineFile, find_card: FindCard) -> CheckedPipeline:
    """Return what is known of a definition that could serve.

    Raises:
        InvalidPipeline: it could not.
    """
    return check_pipeline(file.pipeline, find_card, str(file.path))
