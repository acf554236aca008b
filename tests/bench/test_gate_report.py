"""The report of a gate simulation."""

import pytest

from bench.gate import summary
from bench.gate_report import render_gate_page, weekly_auc
from bench.simulation import GateSimulation
from modstream.processors.promote.settings import GateSettings
from tests.modstream.report.test_report import Outline
from tests.processors.promote.synthetic_stream import small_candidates, synthetic_events

LABELS_OF_11_DAYS = 15_840
"""One label a minute."""


@pytest.mark.slow
def test_the_report_shows_each_candidate_by_week_and_every_decision():
    settings = GateSettings(loss="score")
    run = GateSimulation(small_candidates(settings, 0.0001, 0.05))
    run.run(synthetic_events(1, LABELS_OF_11_DAYS))
    run.scores["batch"] = run.scores["rate-0.05"]

    weekly, document = weekly_auc(run), render_gate_page(run, summary(run))

    assert len(weekly.weeks) == 2
    assert weekly.auc["rate-0.05"] == weekly.auc["batch"]
    candidates = [decision.evidence.candidate for _, decision in weekly.decisions]
    assert candidates == ["rate-0.05"]
    outline = Outline(document)
    assert outline.open == []
    assert outline.tags.count("svg") == 1
    assert "promote rate-0.05" in document
    assert "regret" in document
