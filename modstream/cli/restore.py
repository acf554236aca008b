"""`modstream models restore`: what model-events tells of, and whether Redis still has it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from modstream.cli.options import AsJson
from modstream.cli.output import rows, say
from modstream.models.registry.backup import Cellar
from modstream.operations.restore import Fate, Finding, Restorer, read_told, runs
from modstream.registry.access import cellar, open_registry
from modstream.settings import load_settings


def restore(
    folder: Annotated[
        Path | None,
        typer.Option("--from", help="The copies' folder; by default this home's cellar."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is missing, change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Hold the registry against model-events, and put back what is missing and can be had.

    Copies come from the cellar: what processes with this home have published or served. Nothing
    that stands is changed. Ends with code 1 if an alias has lost the version that it pointed at.
    """
    settings = load_settings()
    with open_registry(settings) as registry, Progress(console=say, transient=True) as progress:
        task = progress.add_task("reading model-events", total=None)
        told = read_told(settings.connection, settings.topics())
        restorer = Restorer(registry, Cellar(folder or cellar(settings)), dry_run)
        found: list[Finding] = []
        for finding in restorer.run(told):
            found.append(finding)
            progress.update(task, description=f"{len(found):,} versions and aliases")
    shown = (
        [finding._asdict() for finding in found]
        if as_json
        else [
            {
                "model": run.model,
                "what": "version" if run.alias is None else f"alias {run.alias}",
                "version": str(run.first) if run.first == run.last else f"{run.first}–{run.last}",
                "registry": run.fate,
            }
            for run in runs(found)
        ]
    )
    rows(shown, as_json=as_json, empty="model-events tells of no model")
    if any(finding.alias is not None and finding.fate is Fate.GONE for finding in found):
        raise typer.Exit(1)
