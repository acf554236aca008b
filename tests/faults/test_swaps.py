"""Versions are promoted and rolled back all the time while requests of several rows keep coming.

What swaps cost is measured in pairs of short stretches, one with swaps and one without, their
order drawn: what else the machine does hits both alike, or one pair only.
"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from random import Random
from statistics import median
from threading import Event
from time import monotonic
from typing import NamedTuple

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.linear_model import LinearRegression

from modstream.broker.client.consumer import BatchSettings
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode_answer
from modstream.broker.wire.contracts import Prediction
from modstream.models.importers.onnx_export import to_onnx
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import Draft
from modstream.operations.verify.echo import ECHO
from modstream.operations.verify.load import Plan
from modstream.operations.verify.run import Trial
from modstream.producers.load.run import run_load
from modstream.producers.load.schedule import LoadPlan
from modstream.producers.records.random_rows import specs
from modstream.registry.access import open_registry
from tests.faults.harness import ENDLESS, SECONDS, until

pytestmark = [pytest.mark.fault, pytest.mark.real, pytest.mark.long]

STEPS = "steps"
SCHEMA = InputSchema(features=(Feature(name="x", kind="float", low=0.0, high=1.0),))
HEIGHT = 1000
"""Between two versions: y = x + HEIGHT * version, so that each row tells who answered it."""
VERSIONS = range(1, 7)
ROWS = 5
RATE = 100
PAIRS, STRETCH = 12, 2.5
"""Pairs of stretches in one run, and the seconds of one stretch."""
MOVES = 17
"""In a stretch with swaps: more than 200 in one run."""
DEARER = 1.2
"""The p99 with swaps may be so many times the p99 without."""
CERTAIN = 0.01
"""Stretches of one kind differ, too: pairs are held against the swaps only if chance would
hardly bring so many of them beyond `DEARER`."""


class Pair(NamedTuple):
    """What the load reported of two neighbouring stretches."""

    quiet: object
    swapping: object

    @property
    def ratio(self) -> float:
        """The p99 with swaps over that without."""
        return self.swapping.latency_ms.p99 / self.quiet.latency_ms.p99


def publish_steps(settings):
    model, golden = LinearRegression(), SCHEMA.batch([{"x": 0.0}, {"x": 1.0}]).batch
    model.coef_, model.n_features_in_ = np.ones(1), 1
    draft = Draft(name=STEPS, runtime="onnx", task="regression", input_schema=SCHEMA)
    with open_registry(settings) as registry:
        for version in VERSIONS:
            model.intercept_ = float(HEIGHT * version)
            assert registry.publish(draft, to_onnx(model, SCHEMA, golden)).version == version


def move(scene, random, stop):
    """Point champion somewhere else, or back, each time when the last move has been served."""
    made = Counter()
    with open_registry(scene.settings) as registry:
        for _ in range(MOVES):
            if stop.wait(STRETCH / MOVES / 2):
                break
            before, now = swaps(scene), registry.resolve(STEPS)
            if random.random() < 0.3:
                made["rollback"] += 1
                registry.rollback(STEPS)
            else:
                made["promote"] += 1
                registry.promote(STEPS, random.choice([v for v in VERSIONS if v != now]))
            until(lambda before=before: swaps(scene) > before, "a swap", pause=0.01)
    return made


@contextmanager
def moving(scene, random, moves):
    """Move while the context lasts, and count the moves."""
    stop = Event()
    with ThreadPoolExecutor(1) as pool:
        moved = pool.submit(move, scene, random, stop)
        try:
            yield
            moves.update(moved.result(SECONDS))
        finally:
            stop.set()


def swaps(scene):
    """How often the worker has swapped so far."""
    return scene.log(0).count("model swapped")


def asked(scene, name):
    """Send requests of several rows for one stretch; returns what became of them."""
    plan = LoadPlan(
        run=name, rate=RATE, seconds=STRETCH, rows=ROWS, keys=100, model=STEPS,
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


def pair(scene, random, moves, number):
    """A stretch with swaps and one without, in an order that is drawn."""
    kinds, reports = list(Pair._fields), {}
    random.shuffle(kinds)
    for kind in kinds:
        with moving(scene, random, moves) if kind == "swapping" else nullcontext():
            reports[kind] = asked(scene, f"{number}-{kind}")
    return Pair(**reports)


def test_two_hundred_swaps_under_load_mix_no_versions_lose_nothing_and_cost_little(scene):
    publish_steps(scene.settings)
    scene.start_workers(1, batch=BatchSettings())
    random, moves = Random(scene.seed), Counter()
    warm, begun = asked(scene, "warm"), monotonic()

    with Trial(scene.settings, Plan(ENDLESS, ECHO, rate=2 * RATE)) as trial:
        pairs = [pair(scene, random, moves, n) for n in range(PAIRS * scene.times)]
        seconds, trial.wanted = monotonic() - begun, trial.sent
        verdict = scene.judge("model swaps", trial, swaps(scene))

    reports = [warm, *(report for both in pairs for report in both)]
    answers = list(served(scene))
    ratios = sorted(both.ratio for both in pairs)
    dearer = sum(ratio > DEARER for ratio in ratios)
    chance = binomtest(dearer, len(ratios), alternative="greater").pvalue
    quiet, swapping = (
        median(getattr(both, kind).latency_ms.p99 for both in pairs) for kind in Pair._fields
    )
    scene.table.notes.append(
        f"model swaps: {swaps(scene)} in {seconds:.0f} s, in {len(pairs)} stretches of {STRETCH} s"
        f" with {len(pairs)} without between them; median p99 of a stretch {swapping:.1f} ms with"
        f" swaps, {quiet:.1f} ms without; ratio of a pair {median(ratios):.2f} in the median,"
        f" {ratios[0]:.2f} to {ratios[-1]:.2f}, above {DEARER} in {dearer} pairs"
    )

    assert verdict.found == {}
    assert moves.total() == swaps(scene) == PAIRS * MOVES * scene.times >= 200
    assert set(moves) == {"promote", "rollback"}
    assert [(report.errors, report.unanswered, report.repeated) for report in reports] == [
        ({}, 0, 0)
    ] * len(reports)
    assert len(answers) == sum(report.answered for report in reports)
    assert all(rows == [version] * ROWS for version, rows in answers)
    assert {version for version, _ in answers} == set(VERSIONS)
    assert chance > CERTAIN, ratios
