"""The time limit of runs, while a batch that was ended is searched for the row to blame."""

import pytest

from modstream.models.errors import PredictTimedOut
from modstream.models.runtimes.onnx_runtime import load
from modstream.models.runtimes.run_allowance import (
    FORGET_SECONDS,
    MAX_LOST_SECONDS,
    MIN_LIMIT_SECONDS,
    USUAL_FACTOR,
    RunAllowance,
)
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from tests.models.onnx_graphs import looping_graph
from tests.models.timing import ManualClock

SLOW, FAST = 10.0, 1.0
"""The limit of a model that has not run yet, and of one whose runs are quick."""


def make_allowance(limit):
    """Return the allowance of a model that has the limit for its next batch."""
    allowance = RunAllowance(10.0, ManualClock())
    if limit == FAST:
        allowance.note_run(1, 1e-5)
    return allowance


def bisect(allowance, rows, poison):
    """Predict rows of which some never end, as the engine does; return the seconds that it took."""
    limit = allowance.limit(len(rows), len(rows))
    if not limit:
        return 0.0
    if not poison.intersection(rows):
        return 0.0
    allowance.note_timeout(len(rows), limit, limit)
    if len(rows) == 1:
        return limit
    half = len(rows) // 2
    found = bisect(allowance, rows[:half], poison) + bisect(allowance, rows[half:], poison)
    return limit + found


@pytest.mark.parametrize("size", [1, 2, 7, 100, 1000])
@pytest.mark.parametrize(("usual", "longest"), [(SLOW, MAX_LOST_SECONDS), (FAST, 4.0)])
def test_one_row_that_never_ends_is_found_soon(size, usual, longest):
    for bad in {0, size // 2, size - 1}:
        allowance = make_allowance(usual)

        assert bisect(allowance, range(size), {bad}) <= longest
        assert not allowance.is_exhausted


@pytest.mark.parametrize("size", [1, 3, 100, 1000])
@pytest.mark.parametrize(("usual", "longest"), [(SLOW, MAX_LOST_SECONDS + 10), (FAST, 6.0)])
def test_many_rows_that_never_end_are_given_up_soon(size, usual, longest):
    allowance = make_allowance(usual)

    seconds = sum(bisect(allowance, range(size), set(range(size))) for _ in range(10))

    assert seconds <= longest
    assert allowance.is_exhausted
    assert allowance.limit(1, 1) == 0.0


def test_a_slow_model_whose_batch_was_too_large_predicts_it_in_halves():
    allowance = RunAllowance(10.0, ManualClock())
    allowance.note_run(1, 3.0)
    assert allowance.limit(4, 4) == 10.0
    allowance.note_timeout(4, 10.0, 10.0)

    assert allowance.limit(2, 2) >= 6
    assert allowance.limit(1, 1) >= 3


def test_a_run_has_a_multiple_of_the_usual_time_for_its_size():
    allowance = RunAllowance(10.0, ManualClock())
    assert allowance.limit(1, 1000) == 10.0

    allowance.note_run(1000, 0.1)

    assert allowance.limit(1, 1000) == pytest.approx(0.1 * USUAL_FACTOR)
    assert allowance.limit(1, 10) == MIN_LIMIT_SECONDS
    assert allowance.limit(1, 10**9) == 10.0


def test_what_was_long_ago_does_not_count():
    clock = ManualClock()
    allowance = RunAllowance(10.0, clock)
    for _ in range(2):
        allowance.note_timeout(1, 10.0, 10.0)
        clock.now += FORGET_SECONDS + 1
        assert allowance.limit(1, 1) == 10.0

    assert not allowance.is_exhausted


def test_a_session_that_is_exhausted_refuses_at_once():
    spec = VersionSpec(
        name="m",
        runtime="onnx",
        task="regression",
        input_schema=InputSchema.of_floats(["x0", "x1"]),
    )
    artifact = Artifact(looping_graph(trips_from_input=True))
    runtime = load(artifact.content, spec.make_card(1, artifact), limit=0.05)
    good, bad = (
        spec.input_schema.parse_rows([{"x0": x, "x1": 0.0}]).batch for x in (3.0, float(2**60))
    )

    assert runtime.predict(good).tolist() == [6.0]
    for _ in range(3):
        assert not runtime.is_exhausted
        with pytest.raises(PredictTimedOut, match="1 row took longer than"):
            runtime.predict(bad)

    assert runtime.is_exhausted
    with pytest.raises(PredictTimedOut, match="ended too often"):
        runtime.predict(good)
