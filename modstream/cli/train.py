"""`train` retrains a model from recent feedback, `retrainer` does so whenever there is a reason."""

from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.progress import Progress

from modstream import logs
from modstream.cli.options import AsJson, Stream
from modstream.cli.output import out, print_json, rows, say
from modstream.process.signals import stop_signals
from modstream.registry.access import open_registry
from modstream.retrain.retrain import CHALLENGER, Retrained, retrain
from modstream.services.retrainer import run_retrainer
from modstream.settings import Settings, load_settings


def train(
    model: Annotated[
        str | None,
        typer.Argument(help="The model; by default the stream's primary.", show_default=False),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Random settings to try.", show_default=False)
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="What decides: auc, accuracy, r2, ...", show_default=False)
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="What the metric must reach.", show_default=False)
    ] = None,
    alias: Annotated[
        str, typer.Option(help="Where it goes: a batch member of the family, say.")
    ] = CHALLENGER,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report only.")] = False,
    because: Annotated[str, typer.Option(help="Why; kept in the history.")] = "retrained",
    as_json: AsJson = False,
) -> None:
    """Train a challenger on recent feedback; publish it if it stands up to champion and threshold.

    Ends with 0 if it was accepted, else with 1. The champion goes on serving.
    """
    settings = with_train(
        load_settings(), {"trials": trials, "metric": metric, "threshold": threshold}
    )
    with open_registry(settings) as registry, Progress(console=say, transient=True) as progress:
        task = progress.add_task("starting", total=1.0)
        done = retrain(
            settings,
            registry,
            model or settings.models[0],
            because=because,
            tell=lambda doing, share: progress.update(task, description=doing, completed=share),
            alias=None if dry_run else alias,
        )
    print_outcome(done, alias, as_json=as_json)
    if not done.trained.accepted:
        raise typer.Exit(1)


def retrainer(
    stream: Stream = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="The model to watch; by default the primary."),
    ] = None,
    alias: Annotated[
        str | None,
        typer.Option(help="Where challengers go: a batch member of the family, say."),
    ] = None,
) -> None:
    """Watch a model's figures and its gate; train a challenger when they give a reason."""
    settings = load_settings(stream=stream)
    if alias is not None:
        watching = replace(settings.retrain, alias=alias)
        settings = settings.model_copy(update={"retrain": watching})
    logs.configure(settings)
    with stop_signals() as stop:
        run_retrainer(settings, model or settings.models[0], stop)


def with_train(settings: Settings, asked: dict[str, Any]) -> Settings:
    """The settings, with what was asked for in their place."""
    given = {name: value for name, value in asked.items() if value is not None}
    return settings.model_copy(update={"train": replace(settings.train, **given)})


def print_outcome(done: Retrained, alias: str, *, as_json: bool) -> None:
    """Print what came of it."""
    trained = done.trained
    version = None if done.card is None else done.card.version
    if as_json:
        print_json(
            {
                "accepted": trained.accepted,
                "version": version,
                "kind": trained.chosen.kind,
                "metric": trained.metric,
                "challenger": trained.figures,
                "champion": trained.champion,
                "gain": trained.gain,
                "faults": trained.faults,
                "report": done.report,
            }
        )
        return
    found = [
        {"figure": name, "challenger": value, "champion": trained.champion.get(name)}
        for name, value in trained.figures.items()
    ]
    rows(found, as_json=False, empty="")
    for fault in trained.faults:
        out.print(f"refused: {fault}")
    if version is not None:
        out.print(f"published {trained.draft.name} version {version} as {alias}")
    say.print(f"report: {done.report}", soft_wrap=True)
