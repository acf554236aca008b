"""Arguments and options that several commands share."""

from typing import Annotated

import typer

StreamArgument = Annotated[
    str | None,
    typer.Argument(help="The stream; by default the one in the settings.", show_default=False),
]
ModelArgument = Annotated[str, typer.Argument(help="The model's name.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
RouteOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        "-m",
        help="A model of the route; may be repeated, the primary model first.",
        show_default=False,
    ),
]
ReasonOption = Annotated[str, typer.Option("--reason", help="The reason; kept in the history.")]
