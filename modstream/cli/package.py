"""`modstream package`: builds the package of a serverless function."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from modstream.cli.names import open_models
from modstream.cli.options import JsonOption, check_model
from modstream.cli.output import open_progress, print_json, stdout
from modstream.models.registry.errors import BackupMissing
from modstream.models.registry.refs import CHAMPION, parse_ref
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.packaging.archive import DIRECT_UPLOAD_LIMIT, UNZIPPED_LIMIT
from modstream.packaging.build import Contents, Package, build_folder, build_zip
from modstream.packaging.cold_start import ColdStart, measure_folder, measure_zip, sample_event
from modstream.packaging.target import Target
from modstream.registry.backups import read_backup
from modstream.registry.trust import load_trust
from modstream.serverless_settings import ServerlessSettings
from modstream.settings import Settings, load_settings

SHOWN_PARTS = 6
COMPILED_REMARKS = {
    "some": "with all modules compiled it would be too large: as many are as the limit allows",
    "none": "its modules are not compiled, as its Python is another one: cold starts take longer",
}


class TargetName(StrEnum):
    """What a package is for."""

    LAMBDA = "lambda"
    CONTAINER = "container"


class Source(StrEnum):
    """Where the function loads the version from."""

    BACKUP = "backup"
    REGISTRY = "registry"


class Answers(StrEnum):
    """Where the function's answers to records go."""

    RESULT = "result"
    KAFKA = "kafka"


def package(
    model: Annotated[
        str, typer.Option("--model", "-m", help="The model's name.", callback=check_model)
    ],
    version: Annotated[
        str, typer.Option("--version", help="A version number or an alias.")
    ] = CHAMPION,
    target: Annotated[
        TargetName,
        typer.Option(
            "--target", help="A zip file for Lambda, or a folder with a Dockerfile for an image."
        ),
    ] = TargetName.LAMBDA,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The file, or the folder.", show_default="function.zip, function"
        ),
    ] = None,
    platform: Annotated[
        str, typer.Option("--platform", help="The processor: x86_64 or arm64.")
    ] = "x86_64",
    python: Annotated[
        str | None,
        typer.Option("--python", help="The Python of the function.", show_default="this one"),
    ] = None,
    source: Annotated[
        Source,
        typer.Option(
            "--source", help="Whether the package contains the version, or loads it from Redis."
        ),
    ] = Source.BACKUP,
    answers: Annotated[
        Answers,
        typer.Option(
            "--answers", help="Answers to records of Kafka and SQS: in the result, or to Kafka."
        ),
    ] = Answers.RESULT,
    measure: Annotated[
        bool,
        typer.Option(help="Start the package and measure it, if it is for this machine."),
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Build a serverless function that serves one version of a model.

    The package contains modstream's code, the libraries that this model needs, in the versions that
    are installed here, and the version itself. A version number is read from the folder of backups,
    if that has it, without Redis.
    """
    settings, built_for = load_settings(), Target.parse(platform, python)
    with open_progress() as progress:
        progress.add_task("building the package", total=None)
        card, artifact = _read_version(settings, model, version)
        is_inside = source is Source.BACKUP
        serverless = ServerlessSettings(
            model, str(card.version) if is_inside else version, source.value, answers.value
        )
        contents = Contents(card, artifact if is_inside else None, serverless, built_for)
        if target is TargetName.LAMBDA:
            built = build_zip(contents, settings, output or Path("function.zip"))
        else:
            built = build_folder(contents, settings, output or Path("function"))
        found = None
        if measure and built_for.runs_here and is_inside and answers is Answers.RESULT:
            start = measure_zip if target is TargetName.LAMBDA else measure_folder
            found = start(built.path, sample_event(card))
    if as_json:
        print_json(_facts(card, built, found))
    else:
        _print(card, built, found, built_for)


def _read_version(settings: Settings, model: str, version: str) -> tuple[ModelCard, Artifact]:
    """Return a version that a trusted key has signed, from its backup or else from Redis."""
    try:
        card, artifact = read_backup(settings, model, parse_ref(model, version))
    except BackupMissing:
        with open_models(settings) as registry:
            card = registry.card(model, parse_ref(model, version))
            artifact = registry.artifact(card)
    load_trust(settings).verify(card)
    return card, artifact


def _facts(card: ModelCard, built: Package, found: ColdStart | None) -> dict[str, Any]:
    return {
        "path": str(built.path),
        "model": card.name,
        "version": card.version,
        "zipped_bytes": built.zipped,
        "unzipped_bytes": built.unzipped,
        "limit_bytes": UNZIPPED_LIMIT,
        "bytes_by_part": dict(built.sizes),
        "compiled_modules": built.compiled,
        "cold_start": None if found is None else _seconds(found),
    }


def _seconds(found: ColdStart) -> dict[str, Any]:
    return {**found._asdict(), "modules": len(found.modules)}


def _print(card: ModelCard, built: Package, found: ColdStart | None, target: Target) -> None:
    lines = [f"{built.path}: {card.name} version {card.version}, Python {target.python_name}"]
    limit = f"of {UNZIPPED_LIMIT / 1e6:.0f} MB that Lambda takes"
    if built.zipped is None:
        lines.append(f"{built.unzipped / 1e6:.1f} MB; build the image there: docker build .")
    else:
        zipped = f"{built.zipped / 1e6:.1f} MB zipped"
        lines.append(f"{zipped}, {built.unzipped / 1e6:.1f} MB unzipped {limit}")
        if built.zipped > DIRECT_UPLOAD_LIMIT:
            lines.append("more than 50 MB zipped: upload it by way of S3")
    parts = list(built.sizes.items())[:SHOWN_PARTS]
    lines.append(", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in parts))
    if built.compiled != "all":
        lines.append(COMPILED_REMARKS[built.compiled])
    if found is not None:
        lines.append(
            f"cold start {found.seconds:.2f} s here ({found.cpu_seconds:.2f} s of processor time):"
            f" import {found.import_seconds:.2f} s, load {found.load_seconds:.2f} s,"
            f" first answer {found.first_answer_seconds * 1e3:.1f}"
            f" ms; next answer {found.next_answer_seconds * 1e3:.1f} ms;"
            f" {found.memory_bytes / 1e6:.0f} MB of memory"
        )
    lines.append("handler: lambda_function.lambda_handler")
    for line in lines:
        stdout.print(line, markup=False, highlight=False, soft_wrap=True)
