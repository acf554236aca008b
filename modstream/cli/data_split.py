"""`modstream data split`: a training set and a sealed test set."""

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
from modstream.cli.output import print_rows, stderr
from modstream.operations.datasets.split import By, SplitSpec, split_dataset
from modstream.settings import load_settings


def parse_share(text: str) -> float:
    """Return a share between 0 and 1 of `20%` or `0.2`.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise typer.BadParameter(f"{text!r} is no share: write 20% or 0.2")
    return share


def split(
    name: DatasetArgument,
    by: Annotated[By, typer.Option(help="What divides the rows.")] = "time",
    test: Annotated[str, typer.Option(help="The share of the test set, such as 20%.")] = "20%",
    column: Annotated[
        str | None,
        typer.Option(
            help="The column with the times, by default that of the catalogue, or the groups.",
            show_default=False,
        ),
    ] = None,
    known: Annotated[
        str | None,
        typer.Option(
            "--label-time",
            metavar="COLUMN",
            help="When labels became known: rows whose label was not known at the border are not"
            " trained on.",
            show_default=False,
        ),
    ] = None,
    prefix: NewNameOption = None,
    as_json: JsonOption = False,
) -> None:
    """Divide a data set into NAME-train and NAME-test; the test set is sealed.

    By time, the newest rows are the test. By group, rows of one group stay together.
    """
    catalogue = open_catalogue(load_settings())
    dataset, spec = catalogue.open(name), SplitSpec(by, parse_share(test), column, known)
    made = split_dataset(catalogue, dataset, spec, check_new_name(prefix or dataset.name))
    rows = [summary(made.train.facts), summary(made.test.facts)]
    print_rows(rows, as_json=as_json, empty="", drop=("made", "access"))
    if made.left_out and not as_json:
        stderr.print(
            f"{made.left_out:,} rows are in neither: their label was not known at the border",
            highlight=False,
            soft_wrap=True,
        )
