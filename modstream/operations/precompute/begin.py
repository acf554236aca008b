"""Begins a precompute run, or finds the one that is to be continued."""

from dataclasses import dataclass
from hashlib import sha256
from secrets import token_hex

from modstream.broker.client.admin import Admin
from modstream.broker.wire.topics import Topics
from modstream.errors import RunChanged
from modstream.operations.precompute.run import format_offsets
from modstream.operations.precompute.run_folder import RunFolder, RunPlan
from modstream.operations.precompute.source_rows import OpenRows, copy_rows


@dataclass(frozen=True, slots=True)
class WantedRun:
    """The run that a command asks for.

    `copied` reads a source that must be copied, because it may have other rows, or another order,
    when it is read again; None for a file, whose `fingerprint` changes with it.
    """

    model: str
    version: int | str
    source: str
    key: str
    fingerprint: str = ""
    copied: OpenRows | None = None

    def default_name(self) -> str:
        """Return a name that other runs do not have."""
        text = "\0".join([self.source, self.key, str(self.version)])
        return f"{self.model}-{sha256(text.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run that begins, or one that continues."""

    plan: RunPlan
    is_new: bool
    is_complete: bool = False


def begin_run(folder: RunFolder, admin: Admin, topics: Topics, wanted: WantedRun) -> FoundRun:
    """Return the run of a folder, which this process has locked; begin it if there is none.

    Raises:
        RunChanged: the run in the folder is unfinished, and it is another one.
    """
    plan, checkpoint = folder.read_plan(), folder.read_checkpoint()
    if plan is not None:
        is_complete = checkpoint is not None and checkpoint.is_complete
        if not is_complete:
            _check_same(plan, wanted)
        return FoundRun(plan, is_new=False, is_complete=is_complete)
    if wanted.copied is not None:
        copy_rows(wanted.copied(), folder.rows)
    # Records of open transactions are not ours, and may be at later offsets than ours.
    requests = admin.end_offsets([topics.requests], committed=True)
    responses = admin.end_offsets([topics.predictions, topics.dlq], committed=True)
    plan = RunPlan(
        run=folder.path.name,
        token=token_hex(4),
        stream=topics.stream,
        model=wanted.model,
        version=wanted.version,
        source=wanted.source,
        key=wanted.key,
        fingerprint=wanted.fingerprint,
        requests=format_offsets(requests),
        responses=format_offsets(responses),
    )
    folder.write_plan(plan)
    return FoundRun(plan, is_new=True)


def _check_same(plan: RunPlan, wanted: WantedRun) -> None:
    for name in ("model", "version", "source", "key"):
        if (before := getattr(plan, name)) != (now := getattr(wanted, name)):
            raise RunChanged(plan.run, name, before, now)
    if plan.fingerprint != wanted.fingerprint:
        raise RunChanged(plan.run, "file", "as it was", "as it is now")
