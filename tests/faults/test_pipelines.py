"""Workers are killed while they run a pipeline of several steps, and its versions are published.

The outputs of an answer identify the versions that made it: each version of the model adds 1000
times its number, and each version of the pipeline answers with its own number.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from threading import Event
from time import monotonic

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import decode_response
from modstream.broker.wire.contracts import Prediction
from modstream.models.importers.onnx_export import to_onnx
from modstream.models.pipelines.checks import check_pipeline
from modstream.models.pipelines.pipeline import parse_pipeline
from modstream.models.schema.input_schema import InputSchema
from modstream.models.schema.version_spec import VersionSpec
from modstream.operations.verify.load import VerificationPlan
from modstream.operations.verify.run import VerificationRun
from modstream.pipelines.publishing import spec_of
from modstream.registry.access import open_registry
from tests.faults.harness import FaultHarness, at_progress
from tests.processors.pipeline.generated import check_agreement, documents, rows

PIPELINE, MODEL = "chain", "stepped"
OFFSET = 1000
VERSIONS = 6
SCHEMA = InputSchema.of_floats(["x"])
KILLS = 2
"""Kills in one run; `make faults` multiplies them by ten."""
REQUESTS = 4000
PAUSE_SECONDS = 0.1
DEFINITION = """
name = "chain"
[request]
hash = "float"
[steps.small]
transform = {{ x = "request.hash % 100", is_even = "request.hash % 2 == 0", number = "{number}" }}
[steps.first]
model = "stepped"
inputs = {{ x = "small.x" }}
[steps.between]
transform = {{ x = "first.value % 1000 / 2" }}
[steps.last]
model = "stepped"
when = "small.is_even"
inputs = {{ x = "between.x" }}
[steps.either]
any = ["last.value", "first.value"]
[output]
value = "request.hash"
first = "first.value"
result = "either.value"
number = "small.number"
"""


def make_artifact(version):
    """Return the artifact of a version of the model."""
    model, golden = LinearRegression(), SCHEMA.parse_rows([{"x": 0.0}, {"x": 99.0}]).batch
    model.coef_, model.n_features_in_, model.intercept_ = np.ones(1), 1, float(OFFSET * version)
    return to_onnx(model, SCHEMA, golden)


def publish_next(registry, name, artifacts):
    """Publish the next version of the model or the pipeline."""
    newest = registry.newest(name)
    version = 1 if newest is None else newest.version + 1
    if name == MODEL:
        spec = VersionSpec(name=MODEL, runtime="onnx", task="regression", input_schema=SCHEMA)
        registry.publish(spec, artifacts[version - 1])
        return
    content = DEFINITION.format(number=version).encode()
    pipeline = parse_pipeline(content, PIPELINE)
    checked = check_pipeline(pipeline, registry.card, PIPELINE)
    registry.publish(spec_of(checked), content)


def move_versions(harness: FaultHarness, artifacts, stop):
    """Publish, promote and roll back until stopped; return how often."""
    random, moves = Random(harness.seed), 0
    with open_registry(harness.settings) as registry:
        while not stop.wait(PAUSE_SECONDS):
            name = random.choice([MODEL, PIPELINE])
            newest = registry.newest(name).version
            if newest < VERSIONS and (newest == 1 or random.random() < 0.5):
                publish_next(registry, name, artifacts)
            else:
                registry.promote(name, random.randint(1, newest))
            moves += 1
    return moves


@contextmanager
def moving_versions(harness: FaultHarness, artifacts):
    """Move versions while the context is open; yields a function that ends it with their count."""
    stop = Event()
    with ThreadPoolExecutor(1) as pool:
        moved = pool.submit(move_versions, harness, artifacts, stop)

        def finish():
            stop.set()
            return moved.result()

        try:
            yield finish
        finally:
            stop.set()


def answers(harness: FaultHarness):
    """Yield the answers of the pipeline."""
    topics = harness.settings.topics()
    for record in read_to_end(harness.settings.connection, [topics.predictions]):
        answer = decode_response(record)
        assert isinstance(answer, Prediction)
        yield answer


def made_by(answer):
    """Return the versions of pipeline and model that the outputs show, or None for a mixture."""
    outputs, steps = answer.outputs, {one.name: one for one in answer.steps}
    small, version = outputs["value"] % 100, steps["first"].version
    expected = {"value": outputs["value"], "first": small + OFFSET * version}
    is_even = outputs["value"] % 2 == 0
    expected["result"] = small / 2 + OFFSET * version if is_even else expected["first"]
    expected["number"] = answer.version
    is_skipped = steps["last"].outcome == "skipped"
    is_whole = outputs == expected and steps["last"].version in {None, version}
    return (answer.version, version) if is_whole and is_skipped != is_even else None


@pytest.mark.fault
@pytest.mark.real
def test_kills_while_versions_are_published_lose_double_and_mix_nothing(harness: FaultHarness):
    artifacts = [make_artifact(version) for version in range(1, VERSIONS + 1)]
    with open_registry(harness.settings) as registry:
        publish_next(registry, MODEL, artifacts)
        publish_next(registry, PIPELINE, artifacts)
    harness.start_workers(3, route=(PIPELINE,))
    kills, started = KILLS * harness.times, monotonic()
    plan = VerificationPlan(
        *(REQUESTS * harness.times, PIPELINE), rate=1000, max_in_flight=400, seed=harness.seed
    )

    with (
        VerificationRun(harness.settings, plan, is_alone=True) as run,
        moving_versions(harness, artifacts) as finish_moves,
    ):
        for number, _ in enumerate(at_progress(run, kills)):
            harness.killer.kill(harness.targets, inside=number % 2 == 0)
        moves = finish_moves()
        result = harness.finish(
            "kill -9 in a pipeline", run, harness.killer.kills, harness.killer.inside
        )

    found = [made_by(answer) for answer in answers(harness)]
    versions = {pair for pair in found if pair is not None}
    harness.table.notes.append(
        f"pipeline: {len(found):,} answers by {len(versions)} pairs of versions, {moves} moves of"
        f" versions in {monotonic() - started:.0f} s, {found.count(None)} mixed"
    )
    assert harness.killer.kills == kills
    assert result.fault_counts == {}
    assert result.exits.keys() == {"prediction"}
    assert found.count(None) == 0
    assert len(versions) >= 4, "the versions must change while the pipeline is asked"


@pytest.mark.fault
@pytest.mark.real
@pytest.mark.thorough
@settings(max_examples=10_000)
@given(documents(), st.lists(rows, min_size=1, max_size=6))
def test_ten_thousand_generated_pipelines_agree_with_the_interpreter(document, given_rows):
    check_agreement(document, given_rows)
