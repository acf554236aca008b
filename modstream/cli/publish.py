"""`modstream models publish`, which needs the machine-learning libraries."""

from pathlib import Path
from typing import Annotated

import typer

from modstream.cli.names import open_models
from modstream.cli.options import JsonOption, ModelArgument
from modstream.cli.output import print_json, stderr, stdout
from modstream.cli.publication_text import describe_publication
from modstream.cli.publish_options import (
    AliasOption,
    ClassesOption,
    FeaturesOption,
    NoAliasOption,
    NoteOption,
    SampleOption,
    ScoresOption,
    TaskOption,
    TrialOnlyOption,
    WrangleOption,
    describe_model,
)
from modstream.cli.servers import require_kafka, require_redis
from modstream.cli.trial_card import print_trial, trial_document
from modstream.cli.wrangled_model import import_after_steps
from modstream.models.errors import TrialFailed
from modstream.models.importers.import_file import import_file
from modstream.models.importers.imported_model import ImportedModel
from modstream.models.registry.refs import CHAMPION
from modstream.models.trial.process import TrialProcess
from modstream.registry.publishing import TriedModel, publish_model, try_model
from modstream.settings import Settings, load_settings


def publish(
    name: ModelArgument,
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            help=".onnx, .skops, .river, .mean, .joblib or .pkl; a file of XGBoost, LightGBM or"
            " CatBoost; or the folder of an MLflow model.",
        ),
    ],
    alias: AliasOption = CHAMPION,
    no_alias: NoAliasOption = False,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust", help="Allow unpickling a .joblib or .pkl file, which can run any code here."
        ),
    ] = False,
    dry_run: TrialOnlyOption = False,
    note: NoteOption = "",
    task: TaskOption = None,
    scores: ScoresOption = None,
    features: FeaturesOption = None,
    classes: ClassesOption = None,
    sample: SampleOption = None,
    wrangle: WrangleOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish a model file as the next version; workers serve it in seconds, without a restart.

    The model is loaded in a process of its own, as a worker would, and predicts sample rows one by
    one and as a batch. Its card and its answers are shown. Only if it passes is it published. What
    the file does not record is given by --task, --scores, --class, --feature and --sample; an
    option that contradicts the file is an error.

    A scikit-learn model is exported to ONNX if the export predicts what the original predicts, or
    else stored as skops. A pickle is never stored in the registry.
    """
    moved = None if no_alias else alias
    settings = load_settings()
    if not dry_run:
        require_kafka(settings)
        require_redis(settings)
    description = describe_model(task, scores, classes or (), features or (), sample)
    with stderr.status("trying the model"):
        if wrangle is None:
            imported = import_file(
                name, file, trust_pickle=trust, note=note, description=description
            )
        else:
            imported = import_after_steps(
                settings, name, file, wrangle, description, trust_pickle=trust, note=note
            )
        tried = try_imported(imported, settings, has_sample=sample is not None)
    publish_tried(settings, tried, moved, dry_run=dry_run, as_json=as_json)


def publish_tried(
    settings: Settings, tried: TriedModel, alias: str | None, *, dry_run: bool, as_json: bool
) -> None:
    """Show a version that has passed its trial, and publish it unless this is a dry run."""
    if not as_json:
        print_trial(tried, stdout)
    if dry_run:
        if as_json:
            print_json({"published": None, **trial_document(tried)})
        stderr.print("a dry run: nothing was published")
        return
    with open_models(settings) as registry:
        published = publish_model(settings, registry, tried, alias)
    card = published.card
    if as_json:
        document = {"published": card.version, "is_new": published.is_new}
        print_json({**document, **trial_document(tried)})
    stderr.print(describe_publication(published, alias), soft_wrap=True)


def try_imported(imported: ImportedModel, settings: Settings, *, has_sample: bool) -> TriedModel:
    """Try a model; if it fails on rows that were made up for it, say how to give others."""
    try:
        with TrialProcess(settings.model_cache.trial_limits) as trials:
            return try_model(imported, trials)
    except TrialFailed as error:
        if has_sample or not error.is_about_rows:
            raise
        reason = f"{error.reason}: give rows of its own data with --sample FILE"
        raise TrialFailed(error.name, reason) from error
