"""Every command of a service opens its metrics and hands them to the service."""

import threading
from contextlib import contextmanager, nullcontext

import pytest

from modstream.cli import calibrator, gateway, joiner, learner, materializer, train, worker
from modstream.telemetry.discovery import read_addresses

pytestmark = pytest.mark.slow

COMMANDS = [
    (worker, "run_worker", "worker", "flights.worker-0"),
    (joiner, "run_joiner", "joiner", "flights.joiner"),
    (learner, "run_learner", "learner", "flights.learner-flights"),
    (calibrator, "run_calibrator", "calibrator", "flights.calibrator"),
    (materializer, "run_materializer", "materializer", "flights.materializer"),
    (train, "run_retrainer", "retrainer", "flights.retrainer-flights"),
    (gateway, "run_gateway", "gateway", "flights.gateway-8080"),
]


@contextmanager
def no_signals():
    yield threading.Event()


@pytest.mark.parametrize(
    ("module", "run", "command", "name"), COMMANDS, ids=[command for _, _, command, _ in COMMANDS]
)
def test_a_command_serves_the_metrics_of_its_service(
    module, run, command, name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODSTREAM_HOME", str(tmp_path))
    monkeypatch.setenv("MODSTREAM_METRICS__PORT", "0")
    seen = []

    def run_service(*arguments, **named):
        (found,) = (one for one in (*arguments, *named.values()) if hasattr(one, "is_on"))
        seen.append((found.is_on, list(read_addresses(tmp_path))))
        return 0

    monkeypatch.setattr(module, run, run_service)
    monkeypatch.setattr(module, "wait_until_ready", lambda load, _role, **_: load())
    monkeypatch.setattr(module, "follow_stack", lambda *_: nullcontext())
    monkeypatch.setattr(module.logs, "configure", lambda *_: None)
    if hasattr(module, "stop_signals"):
        monkeypatch.setattr(module, "stop_signals", no_signals)

    with nullcontext() if command != "joiner" else pytest.raises(BaseException, match="0"):
        getattr(module, command)()

    assert seen == [(True, [name])]
    assert read_addresses(tmp_path) == {}
