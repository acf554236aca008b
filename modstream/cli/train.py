"""`modstream train` retrains a model once; `modstream retrainer` does it when a model decays."""

from dataclasses import replace
from typing import Annotated, Any

import typer

from modstream import logs
from modstream.cli.names import open_models
from modstream.cli.options import (
    JsonOption,
    ReasonOption,
    StreamArgument,
    check_alias,
    check_model,
    check_stream,
)
from modstream.cli.output import open_progress, print_json, print_rows, stderr, stdout
from modstream.cli.servers import require_stream
from modstream.cli.service import follow_stack, wait_until_ready
from modstream.models.registry.refs import CHALLENGER
from modstream.process.signals import stop_signals
from modstream.process.slots import claim_model
from modstream.retrain.retrain import RetrainResult, retrain
from modstream.services.retrainer import run_retrainer
from modstream.settings import Settings, load_settings
from modstream.telemetry.open import open_metrics


def train(
    model: Annotated[
        str | None,
        typer.Argument(
            help="The model; by default the stream's primary model.",
            show_default=False,
            callback=check_model,
        ),
    ] = None,
    stream: Annotated[
        str | None,
        typer.Option(
            help="The stream whose feedback it learns; by default the one in the settings.",
            show_default=False,
            callback=check_stream,
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Number of hyperparameter settings to try.", show_default=False),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="The metric that decides: auc, accuracy, r2, ...", show_default=False),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="The value that the metric must reach.", show_default=False)
    ] = None,
    alias: Annotated[
        str,
        typer.Option(
            help="The alias of the new version, such as that of a batch candidate.",
            callback=check_alias,
        ),
    ] = CHALLENGER,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Train and report; publish nothing.")
    ] = False,
    reason: ReasonOption = "retrained",
    as_json: JsonOption = False,
) -> None:
    """Train a challenger on recent feedback; publish it if it passes the acceptance checks.

    It is accepted if it reaches the threshold, if one is set, and if the champion is not
    significantly better. Exits with code 0 if it was accepted, else with 1. The champion keeps
    serving.
    """
    settings = override_train_settings(
        load_settings(stream=stream), {"trials": trials, "metric": metric, "threshold": threshold}
    )
    require_stream(settings)
    with open_models(settings) as registry, open_progress() as progress:
        task = progress.add_task("starting", total=1.0)
        result = retrain(
            settings,
            registry,
            model or settings.models[0],
            reason=reason,
            on_progress=lambda activity, share: progress.update(
                task, description=activity, completed=share
            ),
            alias=None if dry_run else alias,
        )
    print_result(result, alias, as_json=as_json)
    if not result.training.is_accepted:
        raise typer.Exit(1)


def retrainer(
    stream: StreamArgument = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="The model to watch; by default the primary model.",
            callback=check_model,
        ),
    ] = None,
    alias: Annotated[
        str | None,
        typer.Option(
            help="The alias of new challengers, such as that of a batch candidate.",
            callback=check_alias,
        ),
    ] = None,
) -> None:
    """Watch a model's metrics and its gate; train a challenger when the model needs retraining."""

    def load() -> Settings:
        settings = load_settings(stream=stream)
        if alias is None:
            return settings
        retrain_settings = replace(settings.retrain, alias=alias)
        return settings.model_copy(update={"retrain": retrain_settings})

    logs.configure(load())
    with claim_model(load(), "retrainer", model or load().models[0]):
        if (settings := wait_until_ready(load)) is None:
            return
        name = model or settings.models[0]
        with (
            follow_stack(settings, load),
            stop_signals() as stop,
            open_metrics(settings, "retrainer", name) as metrics,
        ):
            run_retrainer(settings, name, stop, metrics)


def override_train_settings(settings: Settings, options: dict[str, Any]) -> Settings:
    """Return the settings with the given options in the `train` group."""
    given = {name: value for name, value in options.items() if value is not None}
    return settings.model_copy(update={"train": replace(settings.train, **given)})


def print_result(result: RetrainResult, alias: str, *, as_json: bool) -> None:
    """Print the metrics of challenger and champion, and what became of the challenger."""
    trained = result.training
    version = None if result.card is None else result.card.version
    if as_json:
        print_json(
            {
                "accepted": trained.is_accepted,
                "version": version,
                "kind": trained.chosen.kind,
                "metric": trained.metric,
                "challenger": trained.metrics,
                "champion": trained.champion_on_overlap,
                "gain": trained.gain,
                "rejection_reasons": trained.rejection_reasons,
                "report": result.report,
            }
        )
        return
    rows = [
        {"metric": name, "challenger": value, "champion": trained.champion_on_overlap.get(name)}
        for name, value in trained.metrics.items()
    ]
    print_rows(rows, as_json=False, empty="")
    for rejection in trained.rejection_reasons:
        stdout.print(f"rejected: {rejection}")
    if version is not None:
        stdout.print(f"published {trained.spec.name} version {version} as {alias}")
    stderr.print(f"report: {result.report}", soft_wrap=True)
