"""`modstream data list | show | open`: what the catalogue has."""

from typing import Annotated, Any

import typer

from modstream.cli.data_options import DatasetArgument, open_catalogue
from modstream.cli.options import JsonOption
from modstream.cli.output import print_json, print_rows, stderr, stdout
from modstream.datasets.dataset import DatasetFacts
from modstream.settings import load_settings


def list_(
    every: Annotated[
        bool, typer.Option("--all", help="List all versions, not the newest.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the data sets of the catalogue."""
    catalogue = open_catalogue(load_settings())
    found = [
        catalogue.describe(f"{name}@{version}")
        for name in catalogue.names()
        for version in (catalogue.versions(name) if every else catalogue.versions(name)[-1:])
    ]
    empty = f"{catalogue.folder} has no data sets: `modstream data ingest` adds one"
    print_rows(list(map(summary, found)), as_json=as_json, empty=empty, drop=("made", "access"))


def show(name: DatasetArgument, as_json: JsonOption = False) -> None:
    """Show a data set: its origin, columns, files, and the openings of a sealed test set.

    The files are compared with their recorded hashes.
    """
    catalogue = open_catalogue(load_settings())
    facts = catalogue.describe(name)
    catalogue.check(name)
    openings = [one._asdict() for one in catalogue.openings(name)]
    if as_json:
        print_json({**facts.model_dump(mode="json"), "openings": openings})
        return
    print_rows([facts_of(facts)], as_json=False, empty="", title=f"{facts.name}@{facts.version}")
    origin = {"from": facts.provenance.source, "by": facts.provenance.operation}
    print_rows(
        [origin | {"sha256 of the original": facts.provenance.source_sha256}],
        as_json=False,
        empty="",
        title="Origin",
    )
    columns = [one.model_dump() | {"is": role_of(facts, one.name)} for one in facts.columns]
    print_rows(columns, as_json=False, empty="", title="Columns")
    files = [one.model_dump() for one in facts.files]
    print_rows(files, as_json=False, empty="", title="Files", drop=("sha256",))
    if facts.sealed:
        print_rows(openings, as_json=False, empty="it was never opened", title="Openings")


def open_(
    name: DatasetArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why it is opened; kept for good.")],
) -> None:
    """Open a sealed test set: record who, when and why, and print the paths of its files."""
    dataset = open_catalogue(load_settings()).open_sealed(name, reason)
    stderr.print(
        f"the opening of {dataset} is recorded", highlight=False, markup=False, soft_wrap=True
    )
    for path in dataset.paths:
        stdout.print_exactly(bytes(path))


def summary(facts: DatasetFacts) -> dict[str, Any]:
    """Return the line of a version in the list."""
    return {
        "name": facts.name,
        "version": facts.version,
        "rows": facts.rows,
        "columns": len(facts.columns),
        "form": facts.form,
        "MB": round(sum(file.size for file in facts.files) / 1e6, 1),
        "label": facts.label,
        "sealed": facts.sealed,
        "from": str(facts.parent or facts.provenance.source),
        "access": facts.access,
        "made": facts.created,
    }


def facts_of(facts: DatasetFacts) -> dict[str, Any]:
    """Return what is shown of a version besides its origin."""
    return {
        "rows": facts.rows,
        "time": facts.time_column,
        "access": facts.access,
        "license": facts.license,
        "sealed": facts.sealed,
        "form": facts.form,
        "made": facts.created,
        "sha256": facts.sha256[:16] + "…",
    }


def role_of(facts: DatasetFacts, column: str) -> str:
    """Return what a column is for: the label, the time, or nothing special."""
    return {facts.label: "label", facts.time_column: "time"}.get(column, "")
