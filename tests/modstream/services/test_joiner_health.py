"""The joiner's health report, and what it finds out before it starts."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from modstream.process.health import HealthFiles
from modstream.processors.join.waiting import WaitingLabels
from modstream.services import joiner as service
from modstream.services.joiner import JoinerHealth, can_forward_labels
from modstream.settings import Settings

WAITING = WaitingLabels(12, "r1", "k", 0, "no reason")


@pytest.mark.parametrize(
    ("lag", "cause", "waiting", "is_healthy", "reason"),
    [
        (0, "", None, True, "nothing waits"),
        (7, "", None, True, "records wait"),
        (7, "", WAITING, True, str(WAITING)),
        (None, "no broker", WAITING, False, "no broker"),
    ],
)
def test_report_says_what_waits(tmp_path, lag, cause, waiting, is_healthy, reason):
    files = HealthFiles(tmp_path)

    with JoinerHealth("flights.joiner", files) as health:
        health.report(SimpleNamespace(waiting_labels=waiting), lag, cause)
        (report,) = files.read()

    assert (report.name, report.is_healthy, report.reason, report.lag) == (
        "flights.joiner", is_healthy, reason, lag,
    )  # fmt: skip
    assert files.read() == []


def test_report_that_cannot_be_written_does_not_end_the_joiner(tmp_path):
    (tmp_path / "health").write_text("in the way")

    JoinerHealth("flights.joiner", HealthFiles(tmp_path)).report(
        SimpleNamespace(waiting_labels=None), 0, ""
    )


@pytest.mark.parametrize(
    ("wanted", "permitted", "expected"),
    [(True, True, True), (True, False, False), (False, True, False)],
)
def test_labels_are_forwarded_if_settings_and_cluster_permit_it(
    monkeypatch, wanted, permitted, expected
):
    monkeypatch.setattr(service, "may_write", lambda _connection, _topic: permitted)
    settings = Settings()
    joiner = replace(settings.joiner, forward_labels=wanted)

    with capture_logs() as lines:
        can = can_forward_labels(settings.model_copy(update={"joiner": joiner}))

    assert can is expected
    reasons = [line["reason"] for line in lines]
    assert len(reasons) == (wanted and not permitted)
    assert all("may not write flights.labels" in reason for reason in reasons)
