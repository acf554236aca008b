"""`modstream data ingest`: rows of a file, a database, a topic or a schema as a data set."""

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from modstream.cli.data_catalogue import summary
from modstream.cli.data_options import NewNameArgument, open_catalogue
from modstream.cli.options import JsonOption
from modstream.cli.output import print_json, stderr
from modstream.cli.precompute_source import without_password
from modstream.cli.servers import require_kafka
from modstream.datasets.dataset import Access, Form
from modstream.datasets.errors import SourceUnusable
from modstream.models.schema.input_schema import InputSchema
from modstream.operations.datasets.csv_form import SQL_TYPES, CsvOptions
from modstream.operations.datasets.ingest import IngestSpec, ingest, ingest_synthetic
from modstream.operations.datasets.ingest_file import is_csv
from modstream.operations.datasets.ingest_topic import TOPIC
from modstream.operations.datasets.space import SpaceEstimate
from modstream.settings import Settings, load_settings


def ingest_(
    name: NewNameArgument,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="SOURCE",
            help="A file (.csv, .tsv, .json, .jsonl, .parquet), sql:URL#QUERY, topic:NAME, or"
            " demo:flights.",
            show_default=False,
        ),
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(
            "--from-schema",
            metavar="FILE",
            help="Make random rows that fit the input schema in this JSON file.",
            show_default=False,
        ),
    ] = None,
    rows: Annotated[int, typer.Option(min=1, help="Number of random rows.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of random rows.")] = 0,
    label: Annotated[
        str | None, typer.Option(help="The column that models predict.", show_default=False)
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="The column with the time of a row.", show_default=False)
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            metavar="COLUMN:KIND",
            help="The kind of a column of CSV: float, int, bool, string or timestamp.",
            show_default=False,
        ),
    ] = None,
    nulls: Annotated[
        list[str] | None,
        typer.Option("--null", help="A text of CSV for a missing value.", show_default=False),
    ] = None,
    description: Annotated[str, typer.Option(help="What the rows are.")] = "",
    access: Annotated[Access, typer.Option(help="Who may read them.")] = "private",
    license_: Annotated[
        str | None, typer.Option("--license", help="Their licence.", show_default=False)
    ] = None,
    form: Annotated[
        Form | None,
        typer.Option(
            "--format",
            help="How the versions are kept: each as files of Parquet, or all in a Delta table"
            " (extra delta). By default as before, or else parquet.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Add a version of a data set with the rows of a source, which is only read.

    A topic is continued where the newest version ends, each record once.
    """
    if (source is None) == (schema is None):
        raise typer.BadParameter("give either --from or --from-schema")
    if (kinds or nulls) and not is_csv(source or ""):
        raise typer.BadParameter("--kind and --null are for files of CSV only")
    settings = load_settings()
    shown = str(schema) if source is None else without_password(source)
    spec = IngestSpec(
        name, source or "", shown, label, time, description, access, license_,
        CsvOptions(dict(map(parse_kind, kinds or ())), tuple(nulls or ())), form,
    )  # fmt: skip
    catalogue = open_catalogue(settings)
    before = catalogue.versions(name)
    if schema is not None:
        made = ingest_synthetic(catalogue, spec, read_schema(schema), rows, seed)
    else:
        require_topic(settings, spec.source)
        made = ingest(catalogue, spec, settings.connection, print_estimate)
    if made.version in before:
        stderr.print(
            f"{made} has all records already", highlight=False, markup=False, soft_wrap=True
        )
    elif not as_json:
        stderr.print(
            f"{made}: {made.rows:,} rows in {made.folder}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    if as_json:
        print_json(summary(made.facts))


def require_topic(settings: Settings, source: str) -> None:
    """Raise unless Kafka answers, if the source is a topic."""
    if source.startswith(TOPIC):
        require_kafka(settings)


def print_estimate(estimate: SpaceEstimate) -> None:
    """Print how much space the data set will need."""
    stderr.print(str(estimate), highlight=False, markup=False, soft_wrap=True)


def parse_kind(text: str) -> tuple[str, str]:
    """Return the column and the kind of `COLUMN:KIND`.

    Raises:
        typer.BadParameter: it has no known kind.
    """
    column, _, kind = text.rpartition(":")
    if not column or kind not in SQL_TYPES:
        raise typer.BadParameter(f"write --kind COLUMN:KIND, with a kind of {', '.join(SQL_TYPES)}")
    return column, kind


def read_schema(path: Path) -> InputSchema:
    """Return the input schema in a file: itself, or a model card that has one.

    Raises:
        SourceUnusable: it cannot be read, or is no input schema.
    """
    try:
        document = json.loads(path.read_bytes())
        return InputSchema.model_validate(
            document.get("input_schema", document) if isinstance(document, dict) else document
        )
    except OSError as error:
        raise SourceUnusable(str(path), error.strerror or str(error)) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise SourceUnusable(str(path), f"it is no input schema: {place}: {first['msg']}") from None
    except ValueError as error:
        raise SourceUnusable(str(path), f"it is not JSON: {error}") from None
