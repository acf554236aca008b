"""What `modstream load` shows while it sends, and its result."""

import pytest
from rich.progress import Progress

from modstream.cli import output
from modstream.cli.load import ScheduleColumn, print_load_report
from modstream.producers.load.report import LatencyPercentiles, LoadReport
from modstream.settings import Settings


@pytest.mark.parametrize(
    ("elapsed", "shown"), [(3.2, "3 of 10 s"), (10.5, "waiting for the last responses")]
)
def test_the_progress_of_a_load_is_that_of_its_schedule(elapsed, shown):
    now = [0.0]
    progress = Progress(get_time=lambda: now[0])
    progress.add_task("load", total=None)
    now[0] = elapsed

    assert ScheduleColumn(10.0).render(progress.tasks[0]).plain == shown


def test_the_figures_of_a_load_are_shown_in_full_in_80_columns(monkeypatch, capsys):
    monkeypatch.setattr(output.stdout, "_width", 80)
    report = LoadReport(
        *(1_234_567, 1_234_000, 1_233_990, {"not_finite": 12}, 10, 3, 45, 678, 12_345.6, 61.25),
        throughput=20_146.3,
        latency_ms=LatencyPercentiles(5.25, 12.5, 104.2, 1_204.9, 12_345.0),
        bad={"too_large": {"dead_letter": 12_745}},
    )

    print_load_report(Settings(), report, as_json=False)

    shown = capsys.readouterr().out
    for figure in ("1,234,567", "1,233,990", "12,346", "20,146", "5.25", "1,205", "12,745"):
        assert figure in shown
    assert "p99.9" in shown
    assert max(map(len, shown.splitlines())) <= 80
