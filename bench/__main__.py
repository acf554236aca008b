"""The command: `python -m bench [WORKLOAD...] [--part PART]... [--peers NAME]... [--quick]`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from bench.competitors import COMPETITORS
from bench.environment import BenchEnvironment, open_environment
from bench.idle import measure_idle
from bench.latency import measure_latency
from bench.machine import describe_machine
from bench.page import write_page
from bench.results import Measurement, Missing, ResultSet, summarize
from bench.rounds import BenchPlan, measure_saturation
from bench.scaling import measure_scaling
from bench.systems import System
from bench.table import print_table
from bench.workloads import WORKLOADS, Workload
from modstream import logs

MeasuredPart = Callable[[BenchEnvironment, BenchPlan], Iterator[Measurement | Missing]]

PARTS: dict[str, MeasuredPart] = {
    "saturation": measure_saturation,
    "latency": measure_latency,
    "scaling": measure_scaling,
    "idle": measure_idle,
}
QUICK_WORKLOADS = ("row8", "bin8")
QUICK_PARTS = ("saturation", "idle")
PEERS = tuple(dict.fromkeys(system.name for system in COMPETITORS))
PAGE_PATH = Path("report/bench.html")
screen = Console(stderr=True)


def main(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[WORKLOAD]...", help="Workloads; all by default.")
    ] = None,
    *,
    part: Annotated[
        list[str] | None, typer.Option(help=f"Part to measure: {', '.join(PARTS)}; all by default.")
    ] = None,
    peers: Annotated[
        list[str] | None,
        typer.Option(help=f"Peer to compare with: {', '.join(PEERS)} or all; none by default."),
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=1, help="Rounds in which every system is measured once.")
    ] = 3,
    seconds: Annotated[float, typer.Option(help="Maximum measured duration of a run.")] = 8.0,
    requests: Annotated[
        int, typer.Option(min=1, help="Maximum number of preloaded requests of a run.")
    ] = 1_000_000,
    page: Annotated[Path, typer.Option(help="Path of the HTML report.")] = PAGE_PATH,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Two short rounds of the main workloads and parts.",
        ),
    ] = False,
) -> None:
    """Measure modstream, a raw pass-through of the same records, and peers on the same broker."""
    logs.show_errors_only()
    if quick:
        names, part = names or list(QUICK_WORKLOADS), part or list(QUICK_PARTS)
        rounds, seconds = 2, 3.0
    with screen.status("starting Kafka and Redis") as status:
        plan = BenchPlan(
            selected_workloads(names),
            selected_competitors(peers),
            rounds,
            seconds,
            status.update,
            requests,
        )
        report(measure(plan, selected_parts(part)), page)


def report(results: Iterable[Measurement | Missing], path: Path) -> None:
    """Print the results and write the page, also when the measurement ends with an error."""
    result_set = ResultSet()
    try:
        for result in results:
            result_set.add(result)
    finally:
        summaries, missing = summarize(result_set.measurements), result_set.missing
        print_table(Console(), summaries, missing)
        write_page(path, summaries, missing, describe_machine())
        screen.print(f"report: {path}")


def selected_workloads(names: Sequence[str] | None) -> tuple[Workload, ...]:
    """Return the workloads with these names, by default all."""
    known = {workload.name: workload for workload in WORKLOADS}
    return tuple(known[name] for name in known_names(names or list(known), known))


def selected_parts(names: Sequence[str] | None) -> list[MeasuredPart]:
    """Return the parts with these names, by default all."""
    return [PARTS[name] for name in known_names(names or list(PARTS), PARTS)]


def selected_competitors(names: Sequence[str] | None) -> tuple[System, ...]:
    """Return the peers with these names, by default none, and prepare their environments."""
    selected = PEERS if names == ["all"] else known_names(names or (), PEERS)
    systems = tuple(system for system in COMPETITORS if system.name in selected)
    for system in systems:
        system.prepare()
    return systems


def known_names(names: Sequence[str], known: Iterable[str]) -> Sequence[str]:
    """Return the names, or raise BadParameter if one is unknown."""
    if unknown := set(names) - set(known):
        raise typer.BadParameter(
            f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(known)}"
        )
    return names


def measure(
    plan: BenchPlan, chosen_parts: Sequence[MeasuredPart]
) -> Iterator[Measurement | Missing]:
    """Yield the results of each part; the servers are stopped after the last one."""
    with (
        TemporaryDirectory(prefix="bench-") as folder,
        open_environment(Path(folder)) as environment,
    ):
        for part in chosen_parts:
            yield from part(environment, plan)


if __name__ == "__main__":
    typer.run(main)
