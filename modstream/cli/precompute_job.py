"""A precompute run as a command: begun or continued, shown while it runs, and its result."""

from dataclasses import dataclass
from typing import NamedTuple

from modstream.broker.client.admin import Admin
from modstream.cli.output import open_progress, print_json, print_rows, stderr
from modstream.cli.precompute_source import request_maker
from modstream.models.schema.card import ModelCard
from modstream.operations.precompute.begin import FoundRun, WantedRun, begin_run
from modstream.operations.precompute.run import PrecomputeRun
from modstream.operations.precompute.run_folder import Checkpoint, RunFolder
from modstream.operations.precompute.sender import RunLimits
from modstream.operations.precompute.source_rows import OpenRows, read_copy
from modstream.operations.precompute.store_access import open_prediction_store
from modstream.process.gc_tuning import relaxed_gc
from modstream.process.signals import stop_signals
from modstream.processors.precompute.run_progress import RunProgress
from modstream.settings import Settings
from modstream.terminal import description_column


class EndedRun(NamedTuple):
    """A run that is complete, and its last checkpoint."""

    found: FoundRun
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class PrecomputeJob:
    """Runs of one version; `name` is None for a run that is repeated once it is complete."""

    settings: Settings
    card: ModelCard
    version: int | str
    limits: RunLimits
    name: str | None
    is_anew: bool = False

    def run(self, wanted: WantedRun, open_rows: OpenRows | None = None) -> EndedRun:
        """Run to the end; without `open_rows`, the rows are those that were copied.

        Raises:
            SlotTaken: another process runs it.
            RunChanged: an unfinished run has this name, and it is another one.
            StackError: see `PrecomputeRun.run`.
        """
        settings, topics = self.settings, self.settings.topics()
        name = self.name or wanted.default_name()
        folder = RunFolder.of(settings.home, topics.group("precompute"), name)
        with folder.locked():
            before = folder.read_checkpoint()
            if self.is_anew or (self.name is None and before and before.is_complete):
                folder.remove()
            found = begin_run(folder, Admin(settings.connection), topics, wanted)
            checkpoint = folder.read_checkpoint()
            _announce(found, checkpoint)
            if checkpoint is not None and checkpoint.is_complete:
                return EndedRun(found, checkpoint)
            rows = open_rows or (lambda: read_copy(folder.rows))
            return EndedRun(found, self._run(folder, found, rows))

    def _run(self, folder: RunFolder, found: FoundRun, rows: OpenRows) -> Checkpoint:
        with open_progress(description_column()) as progress, stop_signals() as stop:
            task = progress.add_task("connecting", total=None)

            def show(now: RunProgress) -> None:
                text = f"{now.sent:,} rows sent, {now.settled:,} answered"
                progress.update(task, description=text)

            run = PrecomputeRun(
                connection=self.settings.connection,
                topics=self.settings.topics(),
                plan=found.plan,
                folder=folder,
                open_rows=rows,
                make_request=request_maker(self.card, self.version),
                limits=self.limits,
                on_progress=show,
            )
            with relaxed_gc():
                checkpoint = run.run(stop)
        folder.rows.unlink(missing_ok=True)
        return checkpoint


def _announce(found: FoundRun, checkpoint: Checkpoint | None) -> None:
    """Say on standard error whether a run begins or continues."""
    sent = checkpoint.progress.sent if checkpoint else 0
    if found.is_complete:
        text = f"run {found.plan.run} is complete; --restart begins it anew"
    elif found.is_new:
        text = f"run {found.plan.run} begins"
    else:
        text = f"run {found.plan.run} continues, {sent:,} rows were sent"
    stderr.print(text, style="dim", markup=False, highlight=False)


def print_result(found: FoundRun, checkpoint: Checkpoint, *, as_json: bool) -> None:
    """Print what became of the rows of a complete run."""
    progress = checkpoint.progress
    if as_json:
        print_json(
            {
                "run": found.plan.run,
                "ids": found.plan.ids.prefix,
                "rows": progress.sent,
                "predicted": {str(one): count for one, count in progress.predicted.items()},
                "refused": progress.refused,
            }
        )
        return
    outcomes = [
        *((f"predicted by version {one}", n) for one, n in sorted(progress.predicted.items())),
        *((f"refused: {code}", count) for code, count in sorted(progress.refused.items())),
    ]
    rows = [{"outcome": outcome, "rows": count} for outcome, count in outcomes]
    print_rows(rows, as_json=False, empty="there are no rows")


def print_status(settings: Settings, card: ModelCard, *, as_json: bool) -> None:
    """Print how many keys of the store each version has predicted, and which of them are stale."""
    with open_prediction_store(settings) as store:
        counts = store.count_versions(card.name)
    rows = [
        {"version": version, "keys": keys, "stale": version != card.version}
        for version, keys in sorted(counts.items())
    ]
    print_rows(rows, as_json=as_json, empty=f"the store has no prediction of {card.name}")
