"""Arguments and options that several commands share."""

from typing import Annotated

import typer

Stream = Annotated[
    str | None,
    typer.Argument(help="The stream; by default the one in the settings.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "-m",
        help="A model of the route, the primary first; may be given several times.",
        show_default=False,
    ),
]
Model = Annotated[str, typer.Argument(help="The model's name.")]
