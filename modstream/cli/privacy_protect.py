"""`modstream privacy protect`: a copy of a table without the personal data in some columns."""

import math
from pathlib import Path
from typing import Annotated

import typer

from modstream.cli.names import open_models
from modstream.cli.options import JsonOption, check_model
from modstream.cli.output import print_rows
from modstream.models.registry.refs import CHAMPION
from modstream.operations.privacy.person_keys import PersonKeys
from modstream.operations.privacy.protection import ProtectionRules, protect_table
from modstream.settings import Settings, load_settings

ColumnsOption = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN", help="May be repeated.", show_default=False),
]


def protect(
    table: Annotated[Path, typer.Argument(help="A Parquet or CSV file.", dir_okay=False)],
    output: Annotated[
        Path, typer.Option("--to", metavar="FILE", dir_okay=False, help="The Parquet file.")
    ],
    person: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="The column with the id of the person, by whose key values are pseudonymised.",
            show_default=False,
        ),
    ] = None,
    drop: ColumnsOption = None,
    pseudonymise: ColumnsOption = None,
    generalise: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=WIDTH",
            help="Replace numbers by the lower end of their class of this width; may be repeated.",
            show_default=False,
        ),
    ] = None,
    shorten: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=LENGTH",
            help="Cut texts to this length; may be repeated.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="Also drop the features that the champion of this model marks as sensitive, unless"
            " another option says what becomes of them.",
            show_default=False,
            callback=check_model,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a copy of a table without the personal data in some columns.

    Pseudonyms are the same in every copy, until `modstream privacy erase`
    destroys the key of their person.
    """
    if pseudonymise and person is None:
        raise typer.BadParameter("--pseudonymise needs --person: pseudonyms have a key of each")
    settings, marked = load_settings(), frozenset[str]()
    if model is not None:
        with open_models(settings) as registry:
            marked = registry.card(model, CHAMPION).input_schema.sensitive_names
    rules = ProtectionRules(
        frozenset(drop or ()),
        frozenset(pseudonymise or ()),
        dict(map(sized, generalise or ())),
        {name: int(length) for name, length in map(sized, shorten or ())},
        person,
        marked,
    )
    rows = protect_table(table, output, rules, person_keys(settings))
    print_rows([{"rows": rows, "file": str(output)}], as_json=as_json, empty="")


def sized(text: str) -> tuple[str, float]:
    """Return the column and the number of `column=number`.

    Raises:
        typer.BadParameter: it is none, or the number is not positive.
    """
    name, _, number = text.rpartition("=")
    try:
        size = float(number)
    except ValueError:
        size = 0.0
    if not name or not 0 < size < math.inf:
        raise typer.BadParameter(f"{text!r}: write a column and a positive number, such as age=10")
    return name, size


def person_keys(settings: Settings) -> PersonKeys:
    """Return the keys of the persons of this installation."""
    return PersonKeys.of_home(settings.home)
