"""`modstream data wrangle`: a new data set by named steps."""

from pathlib import Path
from typing import Annotated

import typer

from modstream.cli.data_catalogue import summary
from modstream.cli.data_options import (
    DatasetArgument,
    NewNameOption,
    check_new_name,
    open_catalogue,
)
from modstream.cli.options import JsonOption
from modstream.cli.output import print_json, stderr
from modstream.operations.datasets.wrangle import read_steps, wrangle_dataset
from modstream.settings import load_settings


def wrangle(
    name: DatasetArgument,
    steps: Annotated[Path, typer.Option("--steps", metavar="FILE", help="The steps, as TOML.")],
    new_name: NewNameOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a data set with what steps make of another one; by default it is NAME-wrangled."""
    definition = read_steps(steps)
    catalogue = open_catalogue(load_settings())
    dataset = catalogue.open(name)
    made = wrangle_dataset(
        catalogue, dataset, definition, check_new_name(new_name or f"{dataset.name}-wrangled")
    )
    if as_json:
        print_json(summary(made.facts))
        return
    stderr.print(
        f"{made}: {made.rows:,} rows with {len(made.columns)} columns of {dataset.rows:,} with"
        f" {len(dataset.columns)}",
        highlight=False,
        soft_wrap=True,
    )
