"""The end of a demo: what the topics say, printed and written down."""

from pathlib import Path

from rich.console import Console

from modstream.audit.figures import Figures, figures_of, to_json
from modstream.audit.stream_audit import read_ledger
from modstream.demo.run import Outcome
from modstream.report.console import print_report
from modstream.report.page import write_page
from modstream.settings import Settings


def close(
    settings: Settings, outcome: Outcome, folder: Path, out: Console, say: Console
) -> Figures:
    """Read the stream back from its beginning, print the report, write it as a page and JSON."""
    with say.status("reading everything back from Kafka"):
        ledger = read_ledger(
            settings.connection, settings.topics(), settings.models, settings.repeats
        )
        figures = figures_of(ledger)
    print_report(figures, out)
    for hit in outcome.hits:
        where = f"kill -9 hit {hit.victim} at {hit.at:.0%} of the replay"
        out.print(f"{where}; back after {hit.back_after:.1f} s", highlight=False)
    waiting = ", ".join(f"{role} {count}" for role, count in outcome.left.items() if count)
    if waiting:
        say.print(f"[yellow]stopped before everything was worked off; still waiting: {waiting}[/]")
    folder.mkdir(parents=True, exist_ok=True)
    write_page(figures, folder / "report.html")
    (folder / "report.json").write_text(to_json(figures))
    out.print(f"\nThe same with plots: {folder / 'report.html'}", highlight=False)
    return figures
