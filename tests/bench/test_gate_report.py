"""The page of a gate's rehearsal."""

from bench.gate import figures, small_family, synthetic
from bench.gate_report import page, reigns
from bench.simulation import Rehearsal
from modstream.processors.promote.settings import GateSettings
from tests.modstream.report.test_report import Outline

DAYS_11 = 15_840
"""Labels, one a minute."""


def test_it_shows_each_member_by_week_and_every_decision():
    settings = GateSettings(loss="score")
    run = Rehearsal(small_family(settings, 0.0001, 0.05)).run(synthetic(1, DAYS_11))
    run.said["batch"] = run.said["rate-0.05"]

    found, document = reigns(run), page(run, figures(run))

    assert len(found.weeks) == 2
    assert found.auc["rate-0.05"] == found.auc["batch"]
    assert [decision.member for _, decision in found.decided] == ["rate-0.05"]
    outline = Outline(document)
    assert outline.open == []
    assert outline.tags.count("svg") == 1
    assert "promote rate-0.05" in document
    assert "regret" in document
