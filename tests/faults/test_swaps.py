"""Versions are promoted and rolled back continuously under a load of requests with several rows.

The cost of swaps is measured in pairs of short periods, one with swaps and one without, in random
order. Other work on the machine then affects both periods alike, or only one pair.
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

from modstream.broker.client.batch_settings import BatchSettings
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode_response
from modstream.broker.wire.contracts import Prediction
from modstream.models.importers.onnx_export import to_onnx
from modstream.models.registry.history import alias_stack
from modstream.models.registry.refs import CHAMPION
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.operations.verify.echo import ECHO_MODEL
from modstream.operations.verify.load import VerificationPlan
from modstream.operations.verify.run import VerificationRun
from modstream.producers.load.run import run_load
from modstream.producers.load.schedule import LoadPlan
from modstream.producers.records.random_rows import parse_feature_specs
from modstream.registry.access import open_registry
from tests.faults.harness import ENDLESS, TIMEOUT_SECONDS, FaultHarness, wait_until

pytestmark = [pytest.mark.fault, pytest.mark.real, pytest.mark.long]

STEPS = "steps"
SCHEMA = InputSchema(features=(Feature(name="x", kind="float", low=0.0, high=1.0),))
VERSION_OFFSET = 1000
"""Versions compute y = x + VERSION_OFFSET * version, so an output identifies its version."""
VERSIONS = range(1, 7)
ROWS = 5
RATE = 100
PAIRS, PERIOD_SECONDS = 12, 2.5
"""Pairs of periods in one run, and the length of a period."""
MOVES = 17
"""Moves of the champion alias in a period with swaps; more than 200 in one run."""
MAX_P99_RATIO = 1.2
"""Allowed ratio of the p99 with swaps to that without."""
SIGNIFICANCE = 0.01
"""Significance level of the sign test for the number of pairs above MAX_P99_RATIO. Periods of the
same kind differ as well, so some pairs exceed the ratio by chance."""


class Pair(NamedTuple):
    """The load reports of two consecutive periods."""

    quiet: object
    swapping: object

    @property
    def ratio(self) -> float:
        """The p99 with swaps divided by that without."""
        return self.swapping.latency_ms.p99 / self.quiet.latency_ms.p99


def publish_steps(settings):
    model, golden = LinearRegression(), SCHEMA.parse_rows([{"x": 0.0}, {"x": 1.0}]).batch
    model.coef_, model.n_features_in_ = np.ones(1), 1
    spec = VersionSpec(name=STEPS, runtime="onnx", task="regression", input_schema=SCHEMA)
    with open_registry(settings) as registry:
        for version in VERSIONS:
            model.intercept_ = float(VERSION_OFFSET * version)
            assert registry.publish(spec, to_onnx(model, SCHEMA, golden)).version == version


def move_champion(harness: FaultHarness, random, stop):
    """Promote or roll back, each time after the worker has swapped; return the counts."""
    moves = Counter()
    with open_registry(harness.settings) as registry:
        for _ in range(MOVES):
            if stop.wait(PERIOD_SECONDS / MOVES / 2):
                break
            before, now = count_swaps(harness), registry.resolve(STEPS)
            earlier = alias_stack(registry.moves(STEPS, CHAMPION))[:-1]
            if earlier and random.random() < 0.3:
                moves["rollback"] += 1
                registry.rollback(STEPS)
            else:
                moves["promote"] += 1
                registry.promote(STEPS, random.choice([v for v in VERSIONS if v != now]))
            wait_until(lambda before=before: count_swaps(harness) > before, "a swap", pause=0.01)
    return moves


@contextmanager
def moving_champion(harness: FaultHarness, random, moves):
    """Move the champion alias while the context is open, and count the moves."""
    stop = Event()
    with ThreadPoolExecutor(1) as pool:
        moved = pool.submit(move_champion, harness, random, stop)
        try:
            yield
            moves.update(moved.result(TIMEOUT_SECONDS))
        finally:
            stop.set()


def count_swaps(harness: FaultHarness):
    """Return the number of swaps of the worker so far."""
    return harness.log(0).count("model swapped")


def run_period(harness: FaultHarness, name):
    """Send requests with several rows for one period; return the load report."""
    plan = LoadPlan(
        run_id=name, rate=RATE, seconds=PERIOD_SECONDS, rows=ROWS, keys=100, model=STEPS,
        drain_timeout_seconds=60.0, seed=harness.seed,
    )  # fmt: skip
    features = parse_feature_specs([feature.model_dump() for feature in SCHEMA.features])
    return run_load(harness.settings.connection, harness.settings.topics(), plan, features)


def served_versions(harness: FaultHarness):
    """Yield, for each answer, its version, and the versions that its outputs identify."""
    topics = harness.settings.topics()
    for record in read_to_end(harness.settings.connection, [topics.predictions]):
        answer = decode_response(record)
        if answer.model == STEPS:
            assert isinstance(answer, Prediction)
            yield answer.version, [int(row["value"] // VERSION_OFFSET) for row in answer.outputs]


def run_pair(harness: FaultHarness, random, moves, number):
    """Run a period with swaps and one without, in random order."""
    kinds, reports = list(Pair._fields), {}
    random.shuffle(kinds)
    for kind in kinds:
        with moving_champion(harness, random, moves) if kind == "swapping" else nullcontext():
            reports[kind] = run_period(harness, f"{number}-{kind}")
    return Pair(**reports)


def test_two_hundred_swaps_under_load_mix_no_versions_lose_nothing_and_cost_little(
    harness: FaultHarness,
):
    publish_steps(harness.settings)
    harness.start_workers(1, batch=BatchSettings())
    random, moves = Random(harness.seed), Counter()
    warm_up, started = run_period(harness, "warm-up"), monotonic()

    with VerificationRun(
        harness.settings, VerificationPlan(ENDLESS, ECHO_MODEL, rate=2 * RATE)
    ) as run:
        pairs = [run_pair(harness, random, moves, n) for n in range(PAIRS * harness.times)]
        seconds, run.target = monotonic() - started, run.sent
        result = harness.finish("model swaps", run, count_swaps(harness))

    reports = [warm_up, *(report for both in pairs for report in both)]
    answers = list(served_versions(harness))
    ratios = sorted(both.ratio for both in pairs)
    exceeded = sum(ratio > MAX_P99_RATIO for ratio in ratios)
    p_value = binomtest(exceeded, len(ratios), alternative="greater").pvalue
    quiet, swapping = (
        median(getattr(both, kind).latency_ms.p99 for both in pairs) for kind in Pair._fields
    )
    harness.table.notes.append(
        f"model swaps: {count_swaps(harness)} in {seconds:.0f} s, in {len(pairs)} periods of"
        f" {PERIOD_SECONDS} s, with as many periods without swaps; median p99 of a period"
        f" {swapping:.1f} ms with swaps, {quiet:.1f} ms without; median ratio of a pair"
        f" {median(ratios):.2f}, {ratios[0]:.2f} to {ratios[-1]:.2f}, above {MAX_P99_RATIO} in"
        f" {exceeded} pairs"
    )

    assert result.fault_counts == {}
    assert moves.total() == count_swaps(harness) == PAIRS * MOVES * harness.times >= 200
    assert set(moves) == {"promote", "rollback"}
    assert [(report.errors, report.unanswered, report.extra_responses) for report in reports] == [
        ({}, 0, 0)
    ] * len(reports)
    assert len(answers) == sum(report.answered for report in reports)
    assert all(rows == [version] * ROWS for version, rows in answers)
    assert {version for version, _ in answers} == set(VERSIONS)
    assert p_value > SIGNIFICANCE, ratios
