"""The report of a demo: the audit of its topics, printed and written to files."""

from pathlib import Path

from rich.console import Console

from modstream.audit.reading import audit_stream
from modstream.audit.result import AuditResult, evaluate, to_json
from modstream.demo.plan import DemoPlan
from modstream.demo.run import DemoOutcome
from modstream.demo.steps_table import steps_table
from modstream.registry.access import open_registry
from modstream.registry.card_lookup import card_finder
from modstream.report.console import print_report, print_tables
from modstream.report.page import write_page
from modstream.settings import Settings


def report_demo(
    settings: Settings,
    plan: DemoPlan,
    outcome: DemoOutcome,
    folder: Path,
    out: Console,
    err: Console,
) -> AuditResult:
    """Audit the stream, print the report, and write it to `folder` as HTML and JSON."""
    with err.status("reading all topics"), open_registry(settings) as registry:
        audit = audit_stream(
            *(settings.connection, settings.topics(), settings.models, settings.dedup_window),
            find_card=card_finder(registry),
        )
        result = evaluate(audit)
    steps = steps_table(result, plan)
    print_report(result, out)
    print_tables([steps], out)
    out.print()
    for kill in outcome.kills:
        line = f"killed {kill.target} at {kill.replay_share:.0%} of the replay"
        out.print(f"{line}; recovered after {kill.recovery_seconds:.1f} s", highlight=False)
    remaining = ", ".join(
        f"{service} {count}" for service, count in outcome.remaining_lag.items() if count
    )
    if remaining:
        warning = f"stopped before all records were processed; remaining lag: {remaining}"
        err.print(warning, style="yellow")
    if outcome.uncounted:
        warning = f"events that the features never counted: {outcome.uncounted}"
        err.print(warning, style="yellow")
    folder.mkdir(parents=True, exist_ok=True)
    write_page(result, folder / "report.html", first=(steps,))
    (folder / "report.json").write_text(to_json(result))
    out.print(f"\nReport with plots: {folder / 'report.html'}", highlight=False)
    return result
