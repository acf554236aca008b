"""The command: `python -m bench.gateway [--part PART]... [--peers NAME]...`."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from bench.environment import BenchEnvironment, open_environment
from bench.gateway.comparison import GatewayPlan, compare
from bench.gateway.faults import FaultPlan, measure_faults
from bench.gateway.overload import measure_overload
from bench.gateway.servers import HTTP_PEERS, ServerKind
from bench.machine import describe_machine
from bench.results import Measurement, Missing, ResultSet, summarize
from bench.systems import Delivery
from bench.table import print_table
from modstream import logs

NAMES = tuple(peer.name for peer in HTTP_PEERS)
PARTS = ("comparison", "overload", "faults")
Measure = Callable[[BenchEnvironment], Iterator[Measurement | Missing]]
screen = Console(stderr=True)


def main(
    *,
    part: Annotated[
        list[str] | None, typer.Option(help=f"Part to measure: {', '.join(PARTS)}; all by default.")
    ] = None,
    peers: Annotated[
        list[str] | None,
        typer.Option(help=f"Peer to compare with: {', '.join(NAMES)} or all; none by default."),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of the comparison.")] = 3,
    seconds: Annotated[float, typer.Option(help="Measured duration of one load.")] = 5.0,
    delivery: Annotated[
        Delivery, typer.Option(help="Delivery of the worker in the comparison.")
    ] = "exactly_once",
    fault_seconds: Annotated[float, typer.Option(help="Duration of each load of calls.")] = 60.0,
    kills: Annotated[int, typer.Option(help="How often the worker is killed.")] = 10,
    tickets: Annotated[int, typer.Option(help="Open tickets of the killed gateway.")] = 1000,
) -> None:
    """Measure the gateway: beside a constant server and peers, in overload, and under faults."""
    logs.show_errors_only()
    with screen.status("starting Kafka and Redis") as status:
        plan = GatewayPlan(
            selected(peers), rounds, seconds, delivery=delivery, report_progress=status.update
        )
        faults = FaultPlan(fault_seconds, kills, tickets, report_progress=status.update)
        measures: dict[str, Measure] = {
            "comparison": partial(compare, plan=plan),
            "overload": partial(measure_overload, seconds=seconds, report_progress=status.update),
            "faults": partial(measure_faults, plan=faults),
        }
        report(measure([measures[name] for name in chosen(part)]))


def measure(parts: Sequence[Measure]) -> Iterator[Measurement | Missing]:
    """Yield the results of each part, each with servers of its own."""
    for one in parts:
        with (
            TemporaryDirectory(prefix="bench-") as folder,
            open_environment(Path(folder)) as environment,
        ):
            yield from one(environment)


def selected(names: Sequence[str] | None) -> tuple[ServerKind, ...]:
    """Return the peers with these names, by default none."""
    wanted = known(NAMES if names == ["all"] else names or (), NAMES)
    return tuple(peer for peer in HTTP_PEERS if peer.name in wanted)


def chosen(names: Sequence[str] | None) -> Sequence[str]:
    """Return the parts with these names, by default all."""
    return known(names or PARTS, PARTS)


def known(names: Sequence[str], all_names: Sequence[str]) -> Sequence[str]:
    """Return the names, or raise BadParameter if one is unknown."""
    if unknown := set(names) - set(all_names):
        found = f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(all_names)}"
        raise typer.BadParameter(found)
    return names


def report(results: Iterator[Measurement | Missing]) -> None:
    """Print the results, also when the measurement ends with an error."""
    found = ResultSet()
    try:
        for result in results:
            found.add(result)
    finally:
        print_table(Console(), summarize(found.measurements), found.missing)
        screen.print(str(describe_machine()))


if __name__ == "__main__":
    typer.run(main)
