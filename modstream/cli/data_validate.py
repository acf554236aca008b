"""`modstream data validate`: the rows of a data set or a topic against what is expected of them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from modstream.cli.data_ingest import read_schema, require_topic
from modstream.cli.data_options import open_catalogue
from modstream.cli.options import JsonOption
from modstream.cli.output import print_json, print_rows, stderr
from modstream.models.datasets.expectations import Expectations, to_toml
from modstream.operations.datasets.ingest_topic import TOPIC
from modstream.operations.datasets.validation import (
    ValidationResult,
    expectations_of,
    is_topic,
    read_expectations,
    validate_dataset,
    validate_topic,
)
from modstream.report.validation_page import render_validation_page
from modstream.settings import load_settings

INVALID = 1
"""The exit status if a cell is not as expected."""


def validate(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The data set, a version, or topic:NAME.")
    ],
    expectations: Annotated[
        Path | None,
        typer.Option(
            "--expect", metavar="FILE", help="What is expected, as TOML.", show_default=False
        ),
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(
            "--schema",
            metavar="FILE",
            help="An input schema as JSON, which says what is expected.",
            show_default=False,
        ),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write",
            metavar="FILE",
            help="Write what the data set has as expectations, to be edited, and check nothing.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write an HTML page.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check all rows, and name the cells that are not as expected.

    The exit status is 1 if there are any.
    """
    settings = load_settings()
    if write is not None:
        columns = expectations_of(open_catalogue(settings).open(name))
        write.write_text(to_toml(columns), encoding="utf-8")
        stderr.print(
            f"expectations of {len(columns)} columns in {write}", highlight=False, soft_wrap=True
        )
        return
    if (expectations is None) == (schema is None):
        raise typer.BadParameter("give either --expect or --schema, or --write to begin with")
    wanted = (
        Expectations.of_schema(read_schema(schema))
        if schema is not None
        else read_expectations(expectations or Path())
    )
    if is_topic(name):
        require_topic(settings, name)
        result = validate_topic(settings.connection, name.removeprefix(TOPIC), wanted)
    else:
        result = validate_dataset(open_catalogue(settings).open(name), wanted)
    rules, cells = rules_of(result), cells_of(result)
    if output is not None:
        page = render_validation_page(name, result.rows, rules, cells)
        output.write_text(page, encoding="utf-8")
    print_result(result, rules, cells, as_json=as_json)
    if not result.is_valid:
        raise typer.Exit(INVALID)


def rules_of(result: ValidationResult) -> list[dict[str, Any]]:
    """Return the rules that fail, the most frequent one first."""
    return [
        {"column": column or "(row)", "rule": rule, "cells": count}
        for (column, rule), count in result.counts.most_common()
    ]


def cells_of(result: ValidationResult) -> list[dict[str, Any]]:
    """Return the failing cells that the result has."""
    return [
        {
            "column": one.column or "(row)",
            "row": "" if one.row is None else result.row_names[one.row],
            "value": one.value,
            "rule": one.rule,
        }
        for one in result.examples
    ]


def print_result(
    result: ValidationResult,
    rules: list[dict[str, Any]],
    cells: list[dict[str, Any]],
    *,
    as_json: bool,
) -> None:
    """Print which cells fail."""
    if as_json:
        document = {"rows": result.rows, "valid": result.is_valid, "rules": rules, "cells": cells}
        print_json(document)
        return
    if result.is_valid:
        stderr.print(f"all {result.rows:,} rows are as expected", highlight=False, soft_wrap=True)
        return
    print_rows(rules, as_json=False, empty="", title="Rules that fail")
    print_rows(cells, as_json=False, empty="", title="The first failing cells of each")
    stderr.print(
        f"{result.counts.total():,} cells in {result.rows:,} rows are not as expected",
        highlight=False,
        soft_wrap=True,
    )
