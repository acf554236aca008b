"""`modstream experiments list | show | compare | sync`: the trainings, and what they reached."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from modstream.cli.options import JsonOption, check_model
from modstream.cli.output import print_json, print_rows, stderr
from modstream.experiments.compare import compare_experiments
from modstream.experiments.experiment import Experiment, TrialSummary
from modstream.experiments.journal import Journal
from modstream.experiments.mlflow_sync import send_missing
from modstream.settings import load_settings

IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The experiment's id, or how it begins.")
]


def list_(
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="Only those of a model.",
            show_default=False,
            callback=check_model,
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest ones, at most so many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List the experiments, the newest first."""
    journal = Journal(load_settings().home)
    found = [one for one in journal.read() if model is None or one.model == model]
    newest = found[::-1][:limit]
    if as_json:
        print_json([one.model_dump(mode="json") for one in newest])
        return
    empty = f"{journal.path} has no experiments: `modstream train` makes one"
    print_rows(
        list(map(_summary, newest)),
        as_json=False,
        empty=empty,
        drop=("source", "code", "version", "CPU s", "features", "metric", "rows"),
    )


def show(experiment: IdArgument, as_json: JsonOption = False) -> None:
    """Show an experiment: data, code, settings, trials and figures."""
    found = Journal(load_settings().home).find(experiment)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    print_rows([_summary(found)], as_json=False, empty="", title=f"Experiment {found.id}")
    if found.reason:
        stderr.print(found.reason, highlight=False, markup=False)
    if found.trigger is not None:
        stderr.print(f"because {found.trigger.reason}", highlight=False, markup=False)
    data = found.data.model_dump(mode="json") | {"features": len(found.data.features)}
    print_rows(_pairs(data), as_json=False, empty="", title="Data")
    if found.metrics:
        print_rows(_pairs(found.metrics), as_json=False, empty="", title="Test")
    if found.decision:
        print_rows(_pairs(found.decision), as_json=False, empty="", title="Decision")
    trials = [_trial(one) for one in found.trials]
    print_rows(trials, as_json=False, empty="", title="Trials", drop=("settings",))
    print_rows(_pairs(found.settings), as_json=False, empty="", title="Settings")


def compare(
    experiments: Annotated[
        list[str], typer.Argument(metavar="ID...", help="The experiments, two or more.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Compare experiments: figures, and the settings, code and data in which they differ."""
    if len(experiments) < 2:
        raise typer.BadParameter("name two experiments or more", param_hint="ID...")
    journal = Journal(load_settings().home)
    print_rows(
        compare_experiments([journal.find(one) for one in experiments]), as_json=as_json, empty=""
    )


def sync(as_json: JsonOption = False) -> None:
    """Send to MLflow the experiments that it does not have, the oldest first."""
    settings = load_settings()
    sent = send_missing(settings.mlflow, Journal(settings.home).read())
    rows = [{"id": one.id, "time": one.time, "model": one.model} for one in sent]
    print_rows(rows, as_json=as_json, empty="MLflow has all experiments")


def _summary(one: Experiment) -> dict[str, Any]:
    return {
        "id": one.id,
        "time": one.time,
        "model": one.model,
        "state": one.state,
        "metric": one.metric,
        "value": one.metrics.get(one.metric),
        "chosen": None if one.chosen is None else one.chosen.kind,
        "rows": one.data.rows,
        "features": len(one.data.features),
        "CPU s": one.spent.get("cpu"),
        "version": one.version,
        "code": one.code,
        "source": one.data.source,
    }


def _trial(one: TrialSummary) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "mean": one.mean,
        "deviation": one.deviation,
        "rows fitted": "all" if one.stride == 1 else f"1 of {one.stride}",
        "CPU s": one.cpu_seconds,
        "settings": ", ".join(f"{name} {value:.3g}" for name, value in one.hyperparameters.items()),
    }


def _pairs(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"": name, "value": value} for name, value in values.items()]
