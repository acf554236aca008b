"""Versions are promoted and rolled back all the time while requests of several rows keep coming."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from threading import Event

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from broker.codec import decode_answer
from broker.consumer import BatchSettings
from broker.contracts import Prediction
from broker.reader import read_to_end
from models.draft import Draft
from models.export import to_onnx
from models.schema import Feature, InputSchema
from modstream.roles.registry import open_registry
from modstream.verify.echo import ECHO
from modstream.verify.load import Plan
from modstream.verify.trial import Trial
from producers.load import run_load
from producers.rows import specs
from producers.schedule import LoadPlan

pytestmark = [pytest.mark.fault, pytest.mark.long, pytest.mark.real]

STEPS = "steps"
SCHEMA = InputSchema(features=(Feature(name="x", kind="float", low=0.0, high=1.0),))
HEIGHT = 1000
"""Between two versions: y = x + HEIGHT * version, so that each row tells who answered it."""
VERSIONS = range(1, 7)
ROWS = 5
RATE = 100
QUIET, SWAPPING = 10.0, 20.0
"""Seconds of a part without swaps and of one with them; there are two of each."""
MOVES = 100
"""In a part with swaps."""


def publish_steps(settings):
    model, golden = LinearRegression(), SCHEMA.batch([{"x": 0.0}, {"x": 1.0}]).batch
    model.coef_, model.n_features_in_ = np.ones(1), 1
    draft = Draft(name=STEPS, runtime="onnx", task="regression", input_schema=SCHEMA)
    with open_registry(settings) as registry:
        for version in VERSIONS:
            model.intercept_ = float(HEIGHT * version)
            assert registry.publish(draft, to_onnx(model, SCHEMA, golden)).version == version


def move(settings, random, moves, pause, stop):
    """Point champion somewhere else, again and again, and once in a while back; counts both."""
    made = Counter()
    with open_registry(settings) as registry:
        for _ in range(moves):
            if stop.wait(pause):
                break
            now = registry.resolve(STEPS)
            if random.random() < 0.3:
                made["rollback"] += 1
                registry.rollback(STEPS)
            else:
                made["promote"] += 1
                registry.promote(STEPS, random.choice([v for v in VERSIONS if v != now]))
    return made


@contextmanager
def moving(settings, random, moves, seconds):
    """Move while the context lasts; gives the moves as they will have been made by its end."""
    stop = Event()
    with ThreadPoolExecutor(1) as pool:
        moved = pool.submit(move, settings, random, moves, seconds / (moves + 10), stop)
        try:
            yield moved
            moved.result(seconds)
        finally:
            stop.set()


def asked(scene, number, seconds):
    """Send requests of several rows for some seconds; returns what became of them."""
    plan = LoadPlan(
        run=f"part-{number}", rate=RATE, seconds=seconds, rows=ROWS, keys=100, model=STEPS,
        patience=60.0, seed=scene.seed,
    )  # fmt: skip
    features = specs([feature.model_dump() for feature in SCHEMA.features])
    return run_load(scene.settings.connection, scene.settings.topics(), plan, features)


def served(scene):
    """The answers by the model that moves: version, and the version that each row tells of."""
    topics = scene.settings.topics()
    for record in read_to_end(scene.settings.connection, [topics.predictions]):
        answer = decode_answer(record)
        if answer.model == STEPS:
            assert isinstance(answer, Prediction)
            yield answer.version, [int(row["value"] // HEIGHT) for row in answer.outputs]


def mean_p99(reports):
    return sum(report.latency_ms.p99 for report in reports) / len(reports)


def test_two_hundred_swaps_under_load_mix_no_versions_and_lose_nothing(scene):
    publish_steps(scene.settings)
    scene.start_workers(1, batch=BatchSettings())
    random, quiet, swapping, moves = Random(scene.seed), [], [], Counter()
    quiet_seconds, swapping_seconds = QUIET * scene.times, SWAPPING * scene.times
    beside = Plan(int(2 * RATE * (quiet_seconds + swapping_seconds)), ECHO, rate=RATE)
    warm = asked(scene, "warm", 3.0)

    with Trial(scene.settings, beside) as trial:
        for number in range(2):
            quiet.append(asked(scene, f"{number}-quiet", quiet_seconds))
            with moving(scene.settings, random, MOVES * scene.times, swapping_seconds) as moved:
                swapping.append(asked(scene, f"{number}-swapping", swapping_seconds))
            moves += moved.result()
        swaps = scene.log(0).count("model swapped")
        verdict = scene.judge("model swaps", trial, swaps)

    reports = [warm, *quiet, *swapping]
    answers = list(served(scene))
    assert verdict.found == {}
    assert moves.total() == 2 * MOVES * scene.times
    assert set(moves) == {"promote", "rollback"}
    assert swaps >= MOVES * scene.times, "most moves reached the worker"
    assert [(report.errors, report.unanswered, report.repeated) for report in reports] == [
        ({}, 0, 0)
    ] * len(reports)
    assert len(answers) == sum(report.answered for report in reports)
    assert all(rows == [version] * ROWS for version, rows in answers)
    assert {version for version, _ in answers} == set(VERSIONS)
    with_swaps, without = mean_p99(swapping), mean_p99(quiet)
    scene.table.notes.append(
        f"model swaps: {moves.total()} moves, {swaps} swaps in {2 * swapping_seconds:.0f} s;"
        f" p99 {with_swaps:.1f} ms with them, {without:.1f} ms without:"
        f" {with_swaps / without:.2f}"
    )
