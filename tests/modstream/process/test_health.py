"""Health reports in the home folder."""

from dataclasses import replace
from time import time

from modstream.process.health import STALE_SECONDS, HealthFiles, HealthReport


def test_stale_report_counts_as_unhealthy(tmp_path):
    files, fresh = HealthFiles(tmp_path), HealthReport("b", True, "nothing waits", 0, time())
    files.write(fresh)
    files.write(replace(fresh, name="a", at=time() - STALE_SECONDS - 10))

    first, second = files.read()

    assert second == fresh
    assert not first.is_healthy
    assert "no report for 40 s" in first.reason
