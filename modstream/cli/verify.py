"""`modstream verify`: checks on a running stack that every request is answered once."""

from typing import Annotated, Any

import typer

from modstream.broker.client.admin import Admin
from modstream.cli.options import JsonOption, StreamArgument
from modstream.cli.output import open_progress, print_json, print_rows, stdout
from modstream.cli.servers import require_redis, require_stream
from modstream.operations.verify.audit import VerificationResult
from modstream.operations.verify.echo import ECHO_MODEL, publish_echo, wait_for_echo
from modstream.operations.verify.load import VerificationPlan
from modstream.operations.verify.outcomes import DEAD_LETTER, ERROR_RESPONSE, PREDICTION
from modstream.operations.verify.run import VerificationRun
from modstream.settings import load_settings


def verify(
    stream: StreamArgument = None,
    number: Annotated[
        int, typer.Option("--number", "-n", min=1, help="Number of requests to send.")
    ] = 2000,
    rate: Annotated[float, typer.Option(min=0, help="Requests per second; 0: no limit.")] = 0.0,
    keys: Annotated[int, typer.Option(min=1, help="Number of different keys.")] = 100,
    idle_timeout: Annotated[
        float, typer.Option(min=0, help="Seconds without a new response before giving up.")
    ] = 30.0,
    as_json: JsonOption = False,
) -> None:
    """Send requests to an echo model and compare the responses in the topics with what was sent.

    Exits with code 0 if each request was answered once, in order and with its own number, else
    with 1. Other traffic on the stream is ignored.
    """
    settings = load_settings(stream=stream)
    require_stream(settings)
    require_redis(settings)
    Admin(settings.connection).end_offsets([settings.topics().requests])
    publish_echo(settings)
    wait_for_echo(settings, idle_timeout)
    plan = VerificationPlan(number, ECHO_MODEL, keys=keys, rate=rate)
    with (
        VerificationRun(settings, plan) as run,
        open_progress() as progress,
    ):
        task = progress.add_task("answered", total=number)
        for answered in run.progress(idle_timeout):
            progress.update(task, completed=answered)
        progress.update(task, description="waiting for open transactions and offsets")
        result = run.finish(idle_timeout)
    print_result(result, as_json=as_json)
    if not is_verified(result):
        raise typer.Exit(1)


def is_verified(result: VerificationResult) -> bool:
    """Return whether all guarantees held and every response is a prediction.

    An error response does not carry the request's number, so it verifies nothing.
    """
    return result.is_sound and result.exits[PREDICTION] == sum(result.exits.values())


def print_result(result: VerificationResult, *, as_json: bool) -> None:
    """Print the counts and faults that the audit found."""
    counts, faults = count_records(result), describe_faults(result)
    if as_json:
        print_json({"verified": is_verified(result), **counts, "faults": faults})
        return
    rows = [{"count": name, "records": count} for name, count in counts.items()]
    print_rows(rows, as_json=False, empty="")
    rows = [
        {"fault": fault, "found": case["count"], "for example": "; ".join(case["examples"][:2])}
        for fault, case in faults.items()
    ]
    print_rows(rows, as_json=False, empty="")
    if is_verified(result):
        stdout.print("verified: every request was answered once")
    else:
        stdout.print("not verified: see the faults and counts above", style="bold red")


def count_records(result: VerificationResult) -> dict[str, int]:
    """Return the numbers of requests by their send status and of responses by their kind."""
    sent = {f"sent {status}": count for status, count in result.sent.items()}
    exits = {
        "predictions": result.exits[PREDICTION],
        "errors": result.exits[ERROR_RESPONSE],
        "dead letters": result.exits[DEAD_LETTER],
    }
    return {"requests": result.requests, **sent, **exits, "aborted": result.aborted}


def describe_faults(result: VerificationResult) -> dict[str, dict[str, Any]]:
    """Return every fault with its count and a few examples."""
    return {
        str(fault): {"count": finding.count, "examples": list(finding.examples)}
        for fault, finding in result.findings.items()
    }
