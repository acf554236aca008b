"""The pages on metrics and monitoring have all metrics and all alerts."""

from pathlib import Path

from modstream.telemetry.reference import reference
from tests.modstream.telemetry.queries import rules

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_of_metrics_is_what_the_module_prints():
    assert (DOCS / "metrics.md").read_text() == reference(), (
        "write it again: python -m modstream.telemetry.reference > docs/metrics.md"
    )


def test_the_page_says_what_to_do_for_each_alert():
    alerts = [rule["alert"] for rule in rules() if "alert" in rule]
    assert len(alerts) >= 10
    page = (DOCS / "monitoring.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("| Modstream")]
    assert [line.split(" | ")[0].strip("| ") for line in lines] == alerts
