"""`modstream models restore`: restores what Redis has lost from the artifact backup."""

from pathlib import Path
from typing import Annotated

import typer

from modstream.cli.names import open_models
from modstream.cli.options import JsonOption
from modstream.cli.output import open_progress, print_rows
from modstream.cli.servers import require_kafka
from modstream.models.registry.backup import ArtifactBackup
from modstream.operations.restore import (
    RestoreFinding,
    Restorer,
    RestoreStatus,
    merge_findings,
    read_published_state,
)
from modstream.registry.backups import backup_folder
from modstream.settings import load_settings


def restore(
    folder: Annotated[
        Path | None,
        typer.Option("--from", help="The backup folder; by default the one in the settings."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only report what is missing; change nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare the registry with the topic model-events and restore what is missing.

    Artifacts come from the backup folder, which holds what processes with this home directory
    have published or served. Existing versions and aliases are not changed. Exits with code 1 if
    the version that an alias pointed to is lost.
    """
    settings = load_settings()
    require_kafka(settings)
    with open_models(settings) as registry, open_progress() as progress:
        task = progress.add_task("reading model-events", total=None)
        published = read_published_state(settings.connection, settings.topics())
        restorer = Restorer(registry, ArtifactBackup(folder or backup_folder(settings)), dry_run)
        findings: list[RestoreFinding] = []
        for finding in restorer.run(published):
            findings.append(finding)
            progress.update(task, description=f"{len(findings):,} versions and aliases")
    rows = (
        [finding._asdict() for finding in findings]
        if as_json
        else [
            {
                "model": run.model,
                "what": "version" if run.alias is None else f"alias {run.alias}",
                "version": str(run.first) if run.first == run.last else f"{run.first}–{run.last}",
                "registry": run.status,
            }
            for run in merge_findings(findings)
        ]
    )
    print_rows(rows, as_json=as_json, empty="the topic model-events names no model")
    lost = (finding for finding in findings if finding.status is RestoreStatus.LOST)
    if any(finding.alias is not None for finding in lost):
        raise typer.Exit(1)
