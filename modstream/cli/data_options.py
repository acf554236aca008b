"""Arguments and options that the commands of data sets share."""

from typing import Annotated

import typer

from modstream.datasets.catalogue import NAME, Catalogue
from modstream.settings import Settings


def check_new_name(name: str) -> str:
    """Return the name of a data set that is to be written.

    Raises:
        typer.BadParameter: no data set can have this name.
    """
    if not NAME.fullmatch(name):
        raise typer.BadParameter(
            f"{name[:100]!r} cannot be the name of a data set: use at most 100 letters, digits"
            " and . _ -"
        )
    return name


DatasetArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The data set, or a version of it, such as flights@2.")
]
NewNameArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The name of the data set.", callback=check_new_name),
]
NewNameOption = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="The name of the new data set.", show_default=False),
]


def open_catalogue(settings: Settings) -> Catalogue:
    """Return the catalogue that the settings name."""
    return Catalogue(settings.data_folder)
