"""`modstream pipelines`: list, check, show, publish."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from modstream.cli.names import open_models
from modstream.cli.options import JsonOption, check_alias
from modstream.cli.output import print_json, print_rows, printable, stderr, stdout
from modstream.cli.publication_text import describe_publication
from modstream.cli.servers import require_kafka
from modstream.errors import UnknownName
from modstream.models.errors import InvalidPipeline
from modstream.models.pipelines.definition import PIPELINE
from modstream.models.pipelines.pipeline import Pipeline, parse_pipeline
from modstream.models.registry.refs import CHAMPION, DEFAULT_ALIAS
from modstream.models.registry.registry import Registry
from modstream.models.schema.artifact import Artifact
from modstream.pipelines.files import (
    PipelineFile,
    check_file,
    definition_files,
    find_pipeline,
    read_pipeline,
)
from modstream.pipelines.publishing import publish_pipeline, spec_of
from modstream.pipelines.svg import as_svg
from modstream.pipelines.text import as_text
from modstream.settings import Settings, load_settings

PipelineArgument = Annotated[
    str, typer.Argument(help="A pipeline's name, or the file of its definition.")
]


def list_(as_json: JsonOption = False) -> None:
    """List the definitions in the directory of pipelines, and what is published of them."""
    settings = load_settings()
    with open_models(settings) as registry:
        rows = [_summarize(registry, path) for path in definition_files(settings.pipelines_dir)]
    empty = f"no definitions in {settings.pipelines_dir}/ (the setting `pipelines_dir`)"
    print_rows(rows, as_json=as_json, empty=empty)


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Pipelines or files; by default all in the directory of pipelines."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check definitions: their own parts, and that they fit the models that they ask.

    The exit code is 1 if one of them could not serve.
    """
    settings = load_settings()
    asked = names or [str(path) for path in definition_files(settings.pipelines_dir)]
    with open_models(settings) as registry:
        found = [_check(settings, registry, name) for name in asked]
    if as_json:
        print_json(found)
    elif not found:
        stderr.print(f"no definitions in {settings.pipelines_dir}/ (the setting `pipelines_dir`)")
    for one in [] if as_json else found:
        lines = [
            *one["problems"],
            *(f"{one['pipeline']}: remark: {text}" for text in one["remarks"]),
        ]
        for line in lines or [f"{one['pipeline']}: can be published"]:
            stdout.print(Text(printable(line)), soft_wrap=True)
    if any(one["problems"] for one in found):
        raise typer.Exit(1)


def show(
    name: PipelineArgument,
    ref: Annotated[
        str | None,
        typer.Option("--version", "-v", help="Show a published version or alias, not the file."),
    ] = None,
    svg: Annotated[Path | None, typer.Option(help="Draw it to this file instead.")] = None,
) -> None:
    """Show a pipeline: its steps, what each takes from where, and what the answer holds."""
    settings = load_settings()
    pipeline = _load(settings, name, ref)
    if svg is None:
        for line in as_text(pipeline).splitlines():
            stdout.print(Text(printable(line)), soft_wrap=True)
        return
    svg.write_text(as_svg(pipeline), encoding="utf-8")
    stderr.print(f"wrote {svg}")


def publish(
    name: PipelineArgument,
    alias: Annotated[
        str | None, typer.Option(help="The alias to move to the new version.", callback=check_alias)
    ] = CHAMPION,
    no_alias: Annotated[
        bool, typer.Option("--no-alias", help="Publish the version without moving an alias to it.")
    ] = False,
    note: Annotated[str, typer.Option(help="A note that is kept with the version.")] = "",
) -> None:
    """Publish a definition as the next version; workers serve it in seconds, without a restart.

    It is checked against the models that it asks. Requests ask it by its name, as they ask a model;
    `modstream models show`, `promote` and `rollback` take it as they take a model.
    """
    settings = load_settings()
    require_kafka(settings)
    moved = None if no_alias else alias
    file = find_pipeline(settings.pipelines_dir, name)
    with open_models(settings) as registry:
        _refuse_model_of_this_name(registry, file)
        checked = check_file(file, registry.card)
        for remark in checked.remarks:
            stderr.print(Text(printable(f"remark: {remark}")), soft_wrap=True)
        spec = spec_of(checked, note)
        published = publish_pipeline(settings, registry, file.content, spec, moved)
    stderr.print(describe_publication(published, moved), soft_wrap=True)


def _refuse_model_of_this_name(registry: Registry, file: PipelineFile) -> None:
    newest = registry.newest(file.name)
    if newest is not None and newest.runtime != PIPELINE:
        reason = f"there is a model {file.name} already: give the pipeline another name"
        raise InvalidPipeline(str(file.path), [reason])


def _load(settings: Settings, name: str, ref: str | None) -> Pipeline:
    """Return the definition in a file; without one, or with a reference, a published one."""
    if ref is None:
        try:
            return find_pipeline(settings.pipelines_dir, name).pipeline
        except UnknownName:
            with open_models(settings) as registry:
                if name not in registry.names():
                    raise
                return _published(registry, name, DEFAULT_ALIAS)
    with open_models(settings) as registry:
        return _published(registry, name, ref)


def _published(registry: Registry, name: str, ref: str) -> Pipeline:
    card = registry.card(name, ref)
    if card.runtime != PIPELINE:
        raise InvalidPipeline(name, ["this is a model, not a pipeline: `modstream models show`"])
    return parse_pipeline(registry.artifact(card).content, f"{name} version {card.version}")


def _check(settings: Settings, registry: Registry, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {"pipeline": name, "problems": [], "remarks": []}
    try:
        file = find_pipeline(settings.pipelines_dir, name)
        found["pipeline"] = str(file.path)
        found["remarks"] = list(check_file(file, registry.card).remarks)
        _refuse_model_of_this_name(registry, file)
    except InvalidPipeline as error:
        found["problems"] = str(error).splitlines()
    return found


def _summarize(registry: Registry, path: Path) -> dict[str, object]:
    try:
        file = read_pipeline(path)
    except InvalidPipeline as error:
        return _row(path, state=f"invalid: {len(error.problems)} problems, see `check`")
    definition = file.pipeline.definition
    newest, champion = registry.newest(file.name), registry.aliases(file.name).get(CHAMPION)
    state = "not published"
    if newest is not None:
        is_newest = newest.sha256 == Artifact(file.content).sha256
        state = f"published as version {newest.version}" if is_newest else "changed since published"
    models = ", ".join(f"{name} {ref}" for name, ref in definition.models)
    return _row(path, file.name, state, len(definition.steps), models, champion)


def _row(
    path: Path,
    name: str | None = None,
    state: str = "",
    steps: int | None = None,
    models: str = "",
    champion: int | None = None,
) -> dict[str, object]:
    return {
        "file": str(path), "pipeline": name, "state": state, "champion": champion, "steps": steps,
        "models": models,
    }  # fmt: skip
