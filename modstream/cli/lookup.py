"""`modstream lookup`: prints the newest prediction of a key from the prediction store."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from modstream.cli.options import JsonOption, check_model
from modstream.cli.output import print_json, print_rows, stderr
from modstream.cli.output_text import output_fields
from modstream.cli.record_cells import format_age
from modstream.models.prediction_store.stored_prediction import StoredPrediction
from modstream.operations.precompute.store_access import open_prediction_store
from modstream.operations.privacy.sealing import stored_key
from modstream.settings import load_settings


def lookup(
    key: Annotated[str, typer.Argument(help="The key of the requests.", show_default=False)],
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="The model that predicted; by default the primary model.",
            show_default=False,
            callback=check_model,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the newest prediction of a key, with its version and age.

    Exits with code 1 if the store has none.
    """
    settings = load_settings()
    name = model or settings.models[0]
    with open_prediction_store(settings) as store:
        found = store.get(name, stored_key(settings, key))
    if found is None:
        stderr.print(
            f"the prediction store has no prediction of {name} for this key:"
            " `modstream materializer` fills it",
            markup=False,
            highlight=False,
        )
        raise typer.Exit(1)
    if as_json:
        print_json(describe(found))
        return
    print_rows(
        [{"field": field, "value": value} for field, value in cells(found).items()],
        as_json=False,
        empty="",
    )


def describe(found: StoredPrediction) -> dict[str, object]:
    """Return a prediction as a JSON document."""
    return {
        "model": found.model,
        "key": found.key,
        "version": found.version,
        "outputs": found.outputs,
        "age_seconds": round(found.age_seconds(), 3),
        "created": found.created,
        "event_time": found.event_time,
        "id": found.id,
        "position": found.position,
    }


def cells(found: StoredPrediction) -> dict[str, str]:
    """Return a prediction as the fields of a table."""
    created = datetime.fromtimestamp(found.created / 1000, UTC)
    return {
        **dict(output_fields(found.outputs)),
        "version": f"{found.model} {found.version}",
        "age": format_age(found.age_seconds()),
        "created": created.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "id": found.id,
    }
