"""Trials in a process of their own: what is measured, and how versions fail."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import psutil
import pytest

from modstream.models.errors import TrialFailed
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.trial.process import TrialProcess
from modstream.models.trial.settings import TrialLimits
from modstream.models.trial.trial import try_version
from tests.models.constant_model import constant_artifact, constant_spec
from tests.models.onnx_graphs import allocating_graph, looping_graph, summing_graph
from tests.models.timing import eventually

pytestmark = pytest.mark.slow

ROWS = [{"x0": 1.0, "x1": 2.0}, {"x0": 3.0, "x1": 4.0}]
LIMIT_SECONDS = 1.5
BUSY_SECONDS = 0.02
"""CPU time after which a trial is loading its model, or in its endless loop."""


@pytest.fixture(scope="module")
def trials():
    with TrialProcess(TrialLimits(seconds=LIMIT_SECONDS, memory_bytes=2**29)) as trials:
        yield trials


@pytest.fixture
def patient():
    """Trials that take as long as they need, for tests that end them."""
    with TrialProcess(TrialLimits(seconds=60.0)) as trials:
        yield trials


def regression(**fields):
    defaults = {"runtime": "onnx", "input_schema": InputSchema.of_floats(["x0", "x1"])}
    return VersionSpec(name="m", task="regression", **(defaults | fields))


def run(trials, spec, content, rows=()):
    artifact = Artifact(content)
    return trials.run(spec.make_card(1, artifact), artifact, rows)


def test_a_trial_answers_each_row_and_measures(trials):
    report = run(trials, regression(), summing_graph(), ROWS)

    assert report.answers == [3.0, 7.0]
    assert report.record().rows == 2
    assert min(report.load_seconds, report.row_seconds, report.batch_seconds) > 0


def test_without_rows_a_trial_predicts_synthetic_ones(trials):
    assert run(trials, regression(), summing_graph()).rows == 32


def test_rows_may_hold_numpy_scalars_and_missing_values(trials):
    schema = InputSchema(
        features=(Feature(name="x0", kind="float", missing=True), Feature(name="x1", kind="float"))
    )
    rows = [{"x0": np.float64(1.0), "x1": np.int64(2)}, {"x1": 4.0}]

    report = run(trials, regression(input_schema=schema), summing_graph(), rows)

    assert report.answers[0] == 3.0
    assert np.isnan(report.answers[1])


@pytest.mark.parametrize("trips_from_input", [False, True])
def test_a_model_that_never_ends_is_stopped_at_the_limit(trials, trips_from_input):
    row = {"x0": float(2**60), "x1": 0.0}
    started = time.monotonic()

    with pytest.raises(TrialFailed, match=r"m fails its trial: .* did not end within 1.5 s"):
        run(trials, regression(), looping_graph(trips_from_input=trips_from_input), [row])

    assert time.monotonic() - started < LIMIT_SECONDS + 2


def test_a_model_that_never_ends_does_not_delay_other_trials(trials):
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(run, trials, regression(), looping_graph())
        started = time.monotonic()

        assert run(trials, regression(), summing_graph(), ROWS).answers == [3.0, 7.0]

        assert time.monotonic() - started < LIMIT_SECONDS
        assert not slow.done()
        with pytest.raises(TrialFailed):
            slow.result()


def test_a_model_that_needs_too_much_memory_fails(trials):
    assert run(trials, regression(), allocating_graph(1000), ROWS).answers == [3.5, 7.5]

    with pytest.raises(TrialFailed, match="memory"):
        run(trials, regression(), allocating_graph(2**30), ROWS)


def test_a_trial_that_crashes_is_reported_with_its_signal(patient):
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(run, patient, regression(), looping_graph())
        trial = _wait_for_trial(patient)

        os.kill(trial.pid, signal.SIGSEGV)

        with pytest.raises(TrialFailed, match=r"crashed \(SIGSEGV\)"):
            slow.result()


@pytest.mark.slow
def test_a_trial_process_that_is_killed_is_replaced(patient):
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(run, patient, regression(), looping_graph())
        trial = _wait_for_trial(patient)

        os.kill(patient._servers["onnx"].pid, signal.SIGKILL)

        with pytest.raises(TrialFailed, match="the trial process ended"):
            slow.result()
    assert eventually(lambda: has_ended(trial), seconds=30)
    assert run(patient, regression(), summing_graph(), ROWS).answers == [3.0, 7.0]


def has_ended(process):
    """Return whether a process has ended, whether or not anybody has taken note of it."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _wait_for_trial(trials):
    """Return the process that runs a trial, a grandchild of the trial process, once it is busy."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        server = trials._servers.get("onnx")
        if server is not None and server.pid is not None:
            with suppress(psutil.Error):
                for trial in psutil.Process(server.pid).children(recursive=True):
                    if trial.cpu_times().user > BUSY_SECONDS:
                        return trial
    raise AssertionError("no trial runs")


def test_the_trial_process_ends_with_its_owner():
    with TrialProcess() as trials:
        run(trials, regression(), summing_graph(), ROWS)
        server = trials._servers["onnx"]
        process = psutil.Process(server.pid)

        server._control.close()  # as the system does when the owner dies

        assert process.wait(10) == 0


def test_a_row_that_the_schema_refuses_is_named(trials):
    with pytest.raises(TrialFailed, match="sample row 1 is refused: feature 'x1' is missing"):
        run(trials, regression(), summing_graph(), [ROWS[0], {"x0": 1.0}])


def test_rows_that_depend_on_their_batch_are_refused(trials):
    rows = [{"x0": 1.0, "x1": 0.0}, {"x0": 9.0, "x1": 0.0}]

    with pytest.raises(TrialFailed, match=r"row 0 .* 2\.0 alone and 10\.0 in a batch"):
        run(trials, regression(), looping_graph(trips_from_input=True), rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "content", "reason"),
    [
        (regression(), b"no graph", "the onnx artifact cannot be read"),
        (regression(runtime="prolog"), b"", "runtime 'prolog' is not available"),
        (
            constant_spec("m", float("nan")),
            constant_artifact(float("nan")),
            "its output is NaN or infinite",
        ),
    ],
)
def test_a_version_that_cannot_serve_fails_with_the_reason(trials, spec, content, reason):
    with pytest.raises(TrialFailed, match=reason) as failed:
        run(trials, spec, content)

    assert failed.value.is_about_rows is ("NaN" in reason)


def test_a_pickle_that_takes_too_long_to_load_is_refused():
    artifact = Artifact(constant_artifact(1))
    card = constant_spec("m", 1).make_card(1, artifact)

    with pytest.raises(TrialFailed, match="in which a worker answers nothing; the limit is 0 s"):
        try_version(card, artifact, blocking_load_seconds=0.0)
