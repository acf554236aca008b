"""`modstream data explore`: the page of a data set."""

from pathlib import Path
from typing import Annotated

import typer

from modstream.cli.data_options import DatasetArgument, open_catalogue
from modstream.cli.output import stderr, stdout
from modstream.operations.datasets.explore import profile_dataset
from modstream.operations.datasets.skrub_report import write_skrub_report
from modstream.report.dataset_page import render_dataset_page
from modstream.settings import load_settings


def explore(
    name: DatasetArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The page; by default NAME-VERSION.html in the home directory's `reports`.",
            show_default=False,
        ),
    ] = None,
    skrub: Annotated[
        bool, typer.Option("--skrub", help="Write skrub's TableReport beside it, too.")
    ] = False,
) -> None:
    """Write a page with the columns of a data set: figures, distributions, associations, a label.

    A sealed test set is not explored.
    """
    settings = load_settings()
    dataset = open_catalogue(settings).open(name)
    path = output or settings.home / "reports" / f"{dataset.name}-{dataset.version}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    link = None
    if skrub:
        beside = path.with_name(f"{path.stem}-skrub.html")
        write_skrub_report(dataset, beside)
        link = beside.name
    path.write_text(render_dataset_page(profile_dataset(dataset), link), encoding="utf-8")
    stderr.print(f"the page of {dataset}:", highlight=False, markup=False, soft_wrap=True)
    stdout.print_exactly(bytes(path))
