"""Waiting for the services of a test's system that count events."""

import json
from time import monotonic

from tests.journeys.conftest import TIMEOUT_SECONDS, System


def wait_until_counted(system: System) -> None:
    """Wait until the joiner has joined all labels, and the aggregator has counted all events."""
    for command, service in (("topics", "joiner"), ("features", None)):
        deadline = monotonic() + TIMEOUT_SECONDS
        while True:
            found = json.loads(system.run(command, "lag", "--json").stdout or "[]")
            lags = [one["lag"] for one in found if one.get("service") == service]
            if lags and not any(lags):
                break
            assert monotonic() < deadline, json.dumps(found)
