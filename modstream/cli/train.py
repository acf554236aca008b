"""`modstream train` retrains a model once; `modstream retrainer` does it when a model decays."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
from modstream.cli.output import open_progress, print_rows
from modstream.cli.retrainings import RUN_DROP, run_row
from modstream.cli.servers import require_stream
from modstream.cli.service import follow_stack, wait_until_ready
from modstream.cli.train_options import (
    BudgetOption,
    ClockOption,
    DataOption,
    FalseNegativeOption,
    FalsePositiveOption,
    IgnoreOption,
    JoinOption,
    LabelOption,
    OutputOption,
    SearcherOption,
    StudyOption,
    TaskOption,
    TestOption,
    TimeOption,
    check_study,
    table_options,
    write_artifact,
)
from modstream.cli.training_output import print_joined, print_result
from modstream.models.registry.refs import CHALLENGER
from modstream.models.training.search import ProgressCallback
from modstream.process.signals import stop_signals
from modstream.process.slots import claim_model
from modstream.retrain.recorded_training import in_this_process
from modstream.retrain.retrain import Publication, RetrainPlan, join_table, retrain, train_table
from modstream.retrain.shared_training import join_in_study, train_in_study
from modstream.rights.rights import Role
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
    data: DataOption = None,
    label: LabelOption = None,
    time: TimeOption = None,
    ignored: IgnoreOption = None,
    task: TaskOption = None,
    test: TestOption = None,
    budget: BudgetOption = None,
    clock: ClockOption = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Most hyperparameter settings to try.", show_default=False),
    ] = None,
    searcher: SearcherOption = None,
    study: StudyOption = None,
    join: JoinOption = False,
    metric: Annotated[
        str | None,
        typer.Option(help="The metric that decides: auc, accuracy, r2, ...", show_default=False),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="The value that the metric must reach.", show_default=False)
    ] = None,
    cost_false_positive: FalsePositiveOption = None,
    cost_false_negative: FalseNegativeOption = None,
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
    output: OutputOption = None,
    reason: ReasonOption = "retrained",
    as_json: JsonOption = False,
) -> None:
    """Train a challenger on recent feedback, a file or a data set; publish it if it is accepted.

    It is accepted if it reaches the threshold, if one is set, and if the champion is not
    significantly better. Exits with code 0 if it was accepted, else with 1. The champion keeps
    serving. With --data and --dry-run, no server is needed.
    """
    given = {
        "budget_seconds": budget,
        "budget_clock": clock,
        "trials": trials,
        "searcher": searcher,
        "metric": metric,
        "threshold": threshold,
        "cost_false_positive": cost_false_positive,
        "cost_false_negative": cost_false_negative,
    }
    settings = override_train_settings(load_settings(stream=stream), given)
    name = model or settings.models[0]
    table = table_options(data, label, time, ignored, task, test)
    check_study(study, table, settings.train.searcher, join=join)
    with ExitStack() as stack:
        registry = None
        if table is None or not dry_run:
            require_stream(settings)
            registry = stack.enter_context(open_models(settings))
        on_progress = stack.enter_context(show_progress())
        if table is not None and study is not None and join:
            joiner = join_in_study(study, settings.train, on_progress)
            print_joined(join_table(settings, name, table, registry, joiner), as_json=as_json)
            return
        if table is not None:
            publication = None if registry is None else Publication(registry, alias, reason)
            trainer = in_this_process if study is None else train_in_study(study)
            result = train_table(settings, name, table, publication, on_progress, trainer)
        elif registry is not None:
            plan = RetrainPlan(reason, None if dry_run else alias, on_progress)
            result = retrain(settings, registry, name, plan)
    if output is not None:
        write_artifact(result, output)
    print_result(result, alias, as_json=as_json)
    if not result.training.is_accepted:
        raise typer.Exit(1)


@contextmanager
def show_progress() -> Iterator[ProgressCallback]:
    """Show the progress of a training on standard error."""
    with open_progress() as progress:
        task = progress.add_task("starting", total=1.0)
        yield lambda activity, share: progress.update(task, description=activity, completed=share)


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
    every: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="HOURS",
            help="Also retrain after so many hours of event time.",
            show_default=False,
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="End when all feedback has been read, for a scheduler.")
    ] = False,
) -> None:
    """Follow a model's feedback and its gate; train a challenger when loss or inputs have changed.

    `modstream retrainings list` shows what was trained, why, and with which result.
    """

    def load() -> Settings:
        settings = load_settings(stream=stream)
        own = settings.retrain
        hours = own.every_hours if every is None else every
        retrain_settings = replace(own, alias=alias or own.alias, every_hours=hours)
        return settings.model_copy(update={"retrain": retrain_settings})

    logs.configure(load())
    with claim_model(load(), "retrainer", model or load().models[0]):
        if (settings := wait_until_ready(load, Role.RETRAINER)) is None:
            return
        name = model or settings.models[0]
        with (
            follow_stack(settings, load),
            stop_signals() as stop,
            open_metrics(settings, "retrainer", name) as metrics,
        ):
            done = run_retrainer(settings, name, stop, metrics, once=once)
    if once:
        empty = f"no retraining of {name} was due"
        print_rows(list(map(run_row, done)), as_json=False, empty=empty, drop=RUN_DROP)


def override_train_settings(settings: Settings, options: dict[str, Any]) -> Settings:
    """Return the settings with the given options in the `train` group."""
    given = {name: value for name, value in options.items() if value is not None}
    return settings.model_copy(update={"train": replace(settings.train, **given)})
