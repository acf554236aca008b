"""The options of `modstream models publish` that describe a model."""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, get_args

import typer
from pydantic import ValidationError

from modstream.cli.options import check_alias
from modstream.models.importers.description import ModelDescription
from modstream.models.schema.card import ScoreKind, Task
from modstream.models.schema.columns import Scalar
from modstream.models.schema.input_schema import Feature

_FEATURE = re.compile(
    r"(?P<name>.+):(?P<kind>float|int|bool|string)"
    r"(?::(?P<low>[^:]+):(?P<high>[^:]+))?(?P<missing>:missing)?(?P<sensitive>:sensitive)?"
    r"(?::(?P<personal>drop|pseudonymise|(?:generalise|shorten)=[^:]+))?",
    re.DOTALL,
)

AliasOption = Annotated[
    str | None, typer.Option(help="The alias to move to the new version.", callback=check_alias)
]
NoAliasOption = Annotated[
    bool, typer.Option("--no-alias", help="Publish the version without moving an alias to it.")
]
TrialOnlyOption = Annotated[
    bool, typer.Option("--dry-run", help="Try the model and show its card; publish nothing.")
]
NoteOption = Annotated[str, typer.Option(help="A note that is kept with the version.")]
FeaturesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--feature",
        "-f",
        metavar="NAME:KIND[:LOW:HIGH][:missing][:sensitive][:PROTECTION]",
        help="A feature, in the order of the model's inputs; may be repeated. KIND is float, int,"
        " bool or string; `missing` says that it may be null, NaN or absent, `sensitive` that the"
        " inference log must not contain it. PROTECTION says what becomes of a personal one before"
        " it is predicted on: drop, pseudonymise, generalise=WIDTH or shorten=LENGTH.",
        show_default=False,
    ),
]
ClassesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--class",
        help="A class, as JSON, in the order of the model's outputs; may be repeated.",
        show_default=False,
    ),
]
TaskOption = Annotated[
    str | None,
    typer.Option(
        "--task", metavar="TASK", help=f"What the model does: {', '.join(get_args(Task))}."
    ),
]
ScoresOption = Annotated[
    str | None,
    typer.Option(
        "--scores",
        metavar="KIND",
        help=f"What the numbers beside a label are: {', '.join(get_args(ScoreKind))}.",
    ),
]
SampleOption = Annotated[
    Path | None,
    typer.Option(
        "--sample",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="Rows of the model's own data (.csv, .parquet or .jsonl) for the trial.",
    ),
]
WrangleOption = Annotated[
    str | None,
    typer.Option(
        "--wrangle",
        metavar="FILE|DATA SET",
        help="Steps before the model, which become a part of it: a TOML file, or a data set that"
        " `modstream data wrangle` made. The version takes the columns before the steps, which"
        " --feature and --sample then describe.",
        show_default=False,
    ),
]


def describe_model(
    task: str | None,
    scores: str | None,
    classes: Sequence[str],
    features: Sequence[str],
    sample: Path | None,
) -> ModelDescription:
    """Return the description that the options give.

    Raises:
        typer.BadParameter: an option has another form, or a name that does not exist.
    """
    parsed = tuple(map(parse_feature, features))
    repeated = {one.name for one in parsed if sum(one.name == other.name for other in parsed) > 1}
    if repeated:
        raise typer.BadParameter(f"--feature {min(repeated)!r} is given twice")
    return ModelDescription(
        task=None if task is None else _one_of("--task", task, get_args(Task)),  # type: ignore[arg-type]
        scores=None if scores is None else _one_of("--scores", scores, get_args(ScoreKind)),  # type: ignore[arg-type]
        classes=parse_classes(classes),
        features=parsed,
        samples=None if sample is None else _read_sample(sample, parsed),
    )


def _read_sample(path: Path, features: tuple[Feature, ...]) -> list[dict[str, object]]:
    from modstream.cli.sample_rows import read_sample  # noqa: PLC0415 - pandas takes 0.3 s

    return read_sample(path, features)


def parse_feature(text: str) -> Feature:
    """Parse a feature: NAME:KIND, or NAME:KIND:LOW:HIGH, and then its marks.

    Raises:
        typer.BadParameter: the text has none of these forms.
    """
    expected = (
        "NAME:KIND[:LOW:HIGH][:missing][:sensitive][:PROTECTION] with the KIND float, int, bool or"
        " string"
    )
    found = _FEATURE.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"{text!r} is not {expected}")
    marks = {name: found[name] is not None for name in ("missing", "sensitive")}
    fields: dict[str, object] = {**found.groupdict(), **marks}
    try:
        return Feature.model_validate(fields)
    except ValidationError as error:
        raise typer.BadParameter(f"{text!r} is not {expected}: {_reason(error)}") from None


def _reason(error: ValidationError) -> str:
    """Return what is wrong with a feature: its first problem, with the part that has it."""
    problem = error.errors(include_url=False)[0]
    part = ".".join(map(str, problem["loc"]))
    if part in {"low", "high"}:
        return f"{part.upper()} is {problem['input']!r}, which is no number"
    reason = problem["msg"].removeprefix("Value error, ")
    return f"{part}: {reason}" if part else reason


def parse_classes(texts: Sequence[str]) -> tuple[Scalar, ...]:
    """Parse class labels.

    Raises:
        typer.BadParameter: two are the same label.
    """
    labels = tuple(map(parse_class_label, texts))
    if len({(isinstance(label, str), label) for label in labels}) < len(labels):
        raise typer.BadParameter(f"--class: two of {', '.join(texts)} are the same label")
    return labels


def parse_class_label(text: str) -> Scalar:
    """Parse a class label given as JSON; text that is not a JSON scalar is the label itself."""
    try:
        label = json.loads(text)
    except (ValueError, RecursionError):
        return text
    is_number = isinstance(label, float) and math.isfinite(label)
    return label if is_number or isinstance(label, bool | int | str) else text


def _one_of(option: str, text: str, choices: Sequence[str]) -> str:
    chosen = text.replace("-", "_").lower()
    if chosen not in choices:
        raise typer.BadParameter(f"{option} {text!r} is none of {', '.join(choices)}")
    return chosen
