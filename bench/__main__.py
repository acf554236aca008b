"""The command: `python -m bench [WORKLOAD...] [--part PART]... [--peers NAME]... [--quick]`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from bench.competitors import RIVALS
from bench.environment import Ground, ground
from bench.idle import standing
from bench.latency import latency
from bench.machine import machine
from bench.page import write_page
from bench.results import Book, Finding, Gap, summaries
from bench.rounds import Plan, contest
from bench.scaling import growth
from bench.systems import Subject
from bench.table import show
from bench.workloads import WORKLOADS, Workload
from modstream import logs

Part = Callable[[Ground, Plan], Iterator[Finding | Gap]]

PARTS: dict[str, Part] = {
    "saturation": contest,
    "latency": latency,
    "growth": growth,
    "standing": standing,
}
QUICK_WORKLOADS = ("row8", "bin8")
QUICK_PARTS = ("saturation", "standing")
PEERS = tuple(dict.fromkeys(subject.name for subject in RIVALS))
PAGE = Path("report/bench.html")
WIDTH = 130
"""Columns that the table needs at least."""
screen = Console(stderr=True)


def main(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[WORKLOAD]...", help="By default all.")
    ] = None,
    *,
    part: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(PARTS)}.")] = None,
    peers: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(PEERS)}, or all.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often the subjects take turns.")] = 3,
    seconds: Annotated[float, typer.Option(help="The longest measured stretch of a run.")] = 8.0,
    requests: Annotated[
        int, typer.Option(min=1, help="The most that are laid ready for a run.")
    ] = 1_000_000,
    page: Annotated[Path, typer.Option(help="Where the report is written.")] = PAGE,
    quick: Annotated[bool, typer.Option("--quick", help="Two short rounds of the main.")] = False,
) -> None:
    """Measure modstream against the raw pass-through of the same bytes, and against its peers."""
    logs.quiet()
    if quick:
        names, part = names or list(QUICK_WORKLOADS), part or list(QUICK_PARTS)
        rounds, seconds = 2, 3.0
    with screen.status("starting Kafka and Redis") as status:
        plan = Plan(chosen(names), rivals(peers), rounds, seconds, status.update, requests)
        report(measured(plan, parts(part)), page)


def report(findings: Iterable[Finding | Gap], path: Path) -> None:
    """Print and write what is found; when the measuring ends early, what was found until then."""
    book = Book()
    try:
        for one in findings:
            book.add(one)
    finally:
        found = summaries(book.findings)
        show(Console(width=max(screen.width, WIDTH)), found, book.gaps)
        write_page(path, found, book.gaps, machine())
        screen.print(f"report: {path}")


def chosen(names: Sequence[str] | None) -> tuple[Workload, ...]:
    """The workloads of these names, by default all."""
    known = {workload.name: workload for workload in WORKLOADS}
    return tuple(known[name] for name in checked(names or list(known), known))


def parts(names: Sequence[str] | None) -> list[Part]:
    """The parts of these names, by default all."""
    return [PARTS[name] for name in checked(names or list(PARTS), PARTS)]


def rivals(names: Sequence[str] | None) -> tuple[Subject, ...]:
    """The peers of these names, with what they need; by default none."""
    wanted = PEERS if names == ["all"] else checked(names or (), PEERS)
    found = tuple(subject for subject in RIVALS if subject.name in wanted)
    for subject in found:
        subject.prepare()
    return found


def checked(names: Sequence[str], known: Iterable[str]) -> Sequence[str]:
    """The names, if all of them are known."""
    if unknown := set(names) - set(known):
        raise typer.BadParameter(f"no {', '.join(unknown)}; there are {', '.join(known)}")
    return names


def measured(plan: Plan, chosen_parts: Sequence[Part]) -> Iterator[Finding | Gap]:
    """What each part finds, on servers that end with the last of it."""
    with TemporaryDirectory(prefix="bench-") as folder, ground(Path(folder)) as servers:
        for part in chosen_parts:
            yield from part(servers, plan)


if __name__ == "__main__":
    typer.run(main)
