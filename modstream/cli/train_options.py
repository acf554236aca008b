"""Options of `modstream train` about its data, its budget and the costs of errors."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from modstream.retrain.recorded_training import RecordedTraining
from modstream.retrain.table_source import TableOptions

TrainableTask = Literal["binary", "multiclass", "regression"]

DataOption = Annotated[
    str | None,
    typer.Option(
        "--data",
        metavar="FILE|NAME",
        help="A Parquet or CSV file, or a data set of the catalogue; by default recent feedback.",
        show_default=False,
    ),
]
LabelOption = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="The column to predict; by default that of the catalogue.",
        show_default=False,
    ),
]
TimeOption = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="The column that orders the rows; by default that of the catalogue, or their order.",
        show_default=False,
    ),
]
IgnoreOption = Annotated[
    list[str] | None,
    typer.Option(
        "--ignore",
        metavar="COLUMN",
        help="A column that is no feature; may be repeated.",
        show_default=False,
    ),
]
TaskOption = Annotated[
    TrainableTask | None,
    typer.Option(help="The task; by default it is read from the labels.", show_default=False),
]
TestOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="A sealed test set of the catalogue, opened once for the test; by default that of the"
        " same split, or else the newest rows.",
        show_default=False,
    ),
]
BudgetOption = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        metavar="SECONDS",
        help="Time of the search; by default processor time.",
        show_default=False,
    ),
]
ClockOption = Annotated[
    Literal["cpu", "wall"] | None,
    typer.Option(help="The clock of the budget.", show_default=False),
]
SearcherOption = Annotated[
    Literal["halving", "flaml"] | None,
    typer.Option(help="What searches.", show_default=False),
]
FalsePositiveOption = Annotated[
    float | None,
    typer.Option(
        min=0.0, help="Cost of a false positive, to choose a threshold.", show_default=False
    ),
]
FalseNegativeOption = Annotated[
    float | None,
    typer.Option(
        min=0.0, help="Cost of a false negative, to choose a threshold.", show_default=False
    ),
]
StudyOption = Annotated[
    str | None,
    typer.Option(
        "--study",
        metavar="FILE|URL",
        help="Share the search with other processes: a file, or the URL of a database.",
        show_default=False,
    ),
]
JoinOption = Annotated[
    bool,
    typer.Option(
        "--join", help="Only take trials of the search that another process with --study ends."
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        dir_okay=False,
        help="Also write the model to a file: ONNX, or skops if it has no faithful export.",
        show_default=False,
    ),
]


def table_options(
    data: str | None,
    label: str | None,
    time: str | None,
    ignored: list[str] | None,
    task: TrainableTask | None,
    test: str | None,
) -> TableOptions | None:
    """Return the table to train on; None for recent feedback.

    Raises:
        typer.BadParameter: an option of tables is given without one.
    """
    if data is not None:
        return TableOptions(data, label, time, frozenset(ignored or ()), task, test)
    given = {"--label": label, "--time": time, "--ignore": ignored, "--task": task, "--test": test}
    for name, value in given.items():
        if value:
            raise typer.BadParameter("name the table with --data", param_hint=name)
    return None


def check_study(
    study: str | None, table: TableOptions | None, searcher: str, *, join: bool
) -> None:
    """Check the options of a shared search.

    Raises:
        typer.BadParameter: there is no table, no study to join, or another searcher.
    """
    if study is None:
        if join:
            raise typer.BadParameter("name the study with --study", param_hint="--join")
        return
    if table is None:
        # Two processes would read the topic up to different ends.
        raise typer.BadParameter("name the table with --data", param_hint="--study")
    if searcher != "halving":
        raise typer.BadParameter(f"{searcher} shares no search", param_hint="--study")


def write_artifact(result: RecordedTraining, path: Path) -> None:
    """Write the artifact of a training to a file.

    Raises:
        typer.BadParameter: it cannot be written.
    """
    try:
        path.write_bytes(result.training.artifact)
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be written: {error.strerror}") from None
