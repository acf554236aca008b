"""`verify`: proves on a running stack that every request is answered once."""

from typing import Annotated, Any

import typer
from rich.progress import Progress

from modstream.broker.client.admin import Admin
from modstream.cli.options import AsJson, Stream
from modstream.cli.output import out, print_json, rows, say
from modstream.operations.verify.audit import Verdict
from modstream.operations.verify.echo import ECHO, publish_echo
from modstream.operations.verify.load import Plan
from modstream.operations.verify.outcomes import DEAD_LETTER, PREDICTION, REFUSAL
from modstream.operations.verify.run import Trial
from modstream.settings import load_settings


def verify(
    stream: Stream = None,
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="Requests to send.")] = 2000,
    rate: Annotated[float, typer.Option(min=0, help="Requests per second; 0: no limit.")] = 0.0,
    keys: Annotated[int, typer.Option(min=1, help="How many keys.")] = 100,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds without a new answer before it is given up.")
    ] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Send requests to an echo model and hold what leaves the stream against what was sent.

    Ends with 0 if each was answered once, in order and with its own number, else with 1. Other
    traffic on the stream is left alone and not judged.
    """
    settings = load_settings(stream=stream)
    Admin(settings.connection).ends([settings.topics().requests])
    publish_echo(settings)
    plan = Plan(number, ECHO, keys=keys, rate=rate)
    with Trial(settings, plan) as trial, Progress(console=say, transient=True) as progress:
        task = progress.add_task("answered", total=number)
        for answered in trial.progress(patience):
            progress.update(task, completed=answered)
        progress.update(task, description="coming to rest")
        verdict = trial.verdict(patience)
    print_verdict(verdict, as_json=as_json)
    if not proved(verdict):
        raise typer.Exit(1)


def proved(verdict: Verdict) -> bool:
    """Whether all was answered as promised, and by the model: a refusal proves no row."""
    return verdict.is_sound and verdict.ways_out[PREDICTION] == sum(verdict.ways_out.values())


def print_verdict(verdict: Verdict, *, as_json: bool) -> None:
    """Print what an account found."""
    if as_json:
        print_json({"proved": proved(verdict), **figures(verdict), "faults": cases(verdict)})
        return
    found = [{"figure": name, "records": count} for name, count in figures(verdict).items()]
    rows(found, as_json=False, empty="")
    faults = [
        {"fault": fault, "found": case["count"], "for example": "; ".join(case["examples"][:2])}
        for fault, case in cases(verdict).items()
    ]
    rows(faults, as_json=False, empty="")
    out.print("every promise was kept" if proved(verdict) else "[bold red]not proved")


def figures(verdict: Verdict) -> dict[str, int]:
    """Counts of requests by fate and of ways out by kind."""
    sent = {f"sent {fate}": count for fate, count in verdict.sent.items()}
    ways = {
        "predictions": verdict.ways_out[PREDICTION],
        "errors": verdict.ways_out[REFUSAL],
        "dead letters": verdict.ways_out[DEAD_LETTER],
    }
    return {"requests": verdict.requests, **sent, **ways, "aborted": verdict.aborted}


def cases(verdict: Verdict) -> dict[str, dict[str, Any]]:
    """Every fault with its count and a few examples."""
    return {
        str(fault): {"count": finding.count, "examples": list(finding.examples)}
        for fault, finding in verdict.findings.items()
    }
