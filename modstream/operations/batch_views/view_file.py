"""The file of a batch view: the states of its groups, and up to which offsets they count.

Both are in one Parquet file, which is replaced as a whole: there is no moment at which the offsets
belong to other states. So a record is counted by the file, or by who reads the topic from there on.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from modstream.errors import ViewUnusable
from modstream.operations.batch_views.definition import ViewDefinition
from modstream.operations.inference_log.parquet_files import REMEDY
from modstream.operations.replaced_file import replaced_file

KEY = b"modstream.batch_view"
SUFFIX = ".parquet"


class ViewHead(BaseModel):
    """What a file says about its states: their definition, and what they count.

    `offsets` has the next offset of each partition of the topic; `built` is in ms since the epoch.
    """

    model_config = ConfigDict(frozen=True)

    definition: ViewDefinition
    topic: str
    offsets: dict[int, int]
    built: int


@dataclass(frozen=True, slots=True)
class ViewFile:
    """A batch view: its head, and a table of Arrow with the states of its groups."""

    name: str
    head: ViewHead
    states: Any

    def write(self, folder: Path) -> Path:
        """Write the view to its file in a folder, which is replaced as a whole; return the file.

        Raises:
            ViewUnusable: the file cannot be written.
        """
        _, parquet = _libraries(self.name)
        path = view_path(folder, self.name)
        metadata = {KEY: self.head.model_dump_json().encode()}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with replaced_file(path) as partial:
                parquet.write_table(self.states.replace_schema_metadata(metadata), partial)
        except OSError as error:
            raise ViewUnusable(self.name, str(error)) from None
        return path


def read_view(folder: Path, name: str) -> ViewFile:
    """Return a view from its file in a folder.

    Raises:
        ViewUnusable: there is no such file, or it is none of a view.
    """
    arrow, parquet = _libraries(name)
    path = view_path(folder, name)
    try:
        states = parquet.read_table(path)
        head = ViewHead.model_validate_json((states.schema.metadata or {})[KEY])
    except FileNotFoundError:
        raise ViewUnusable(name, f"it was not built yet: there is no {path}") from None
    except (arrow.ArrowException, OSError, KeyError, ValidationError) as error:
        reason = f"{path} has no batch view ({type(error).__name__}): build it again"
        raise ViewUnusable(name, reason) from None
    return ViewFile(name, head, states)


def view_names(folder: Path) -> list[str]:
    """Return the names of the views in a folder, sorted."""
    return sorted(
        path.name.removesuffix(SUFFIX)
        for path in folder.glob(f"*{SUFFIX}")
        if not path.name.startswith(".")
    )


def view_path(folder: Path, name: str) -> Path:
    """Return where the file of a view is."""
    return folder / f"{name}{SUFFIX}"


def _libraries(name: str) -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise ViewUnusable(name, REMEDY) from None
    return pa, parquet
