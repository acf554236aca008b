"""The batch layer: a view of the whole exported log, and the offsets up to which it counts."""

from pathlib import Path
from time import time

from modstream.errors import ViewUnusable
from modstream.operations.batch_views.definition import ViewDefinition
from modstream.operations.batch_views.state_queries import StateQueries
from modstream.operations.batch_views.view_file import ViewFile, ViewHead
from modstream.operations.inference_log.log_folder import LogFolder


def build_view(log: LogFolder, name: str, definition: ViewDefinition, folder: Path) -> ViewFile:
    """Compute a view anew from an exported log, and write it to a folder.

    An export or an erasure waits meanwhile: files and offsets are those of one commit.

    Raises:
        ViewUnusable: the definition cannot be computed, or the view not written.
        LogFolderUnusable: the log cannot be read.
    """
    with log.locked():
        commit = log.read_commit()
        if commit is None or not log.data_files():
            raise ViewUnusable(name, f"{log.path} has no exported log: `modstream log export`")
        states = StateQueries(name, definition).of_log(log)
    head = ViewHead(
        definition=definition,
        topic=commit.topic,
        offsets=dict(commit.offsets),
        built=int(time() * 1000),
    )
    view = ViewFile(name, head, states)
    view.write(folder)
    return view
