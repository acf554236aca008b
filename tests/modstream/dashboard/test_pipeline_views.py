"""Pipelines on the dashboard: their drawing, and what the newest answers tell of their steps."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Prediction, SourcePosition, StepResult
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header
from modstream.dashboard.pipeline_views import (
    KEPT_INTERVAL_MS,
    MAX_ANSWER_BYTES,
    NewestAnswers,
    PipelineDefinitions,
    pipeline_view,
)
from modstream.dashboard.registry_facts import ModelFacts
from modstream.models.pipelines.pipeline import parse_pipeline
from modstream.models.registry.errors import RegistryUnavailable

EXAMPLE = Path(__file__).parents[3] / "examples/pipelines/approval.toml"
NOW = 1_764_435_600_000


@pytest.fixture(scope="module")
def pipeline():
    return parse_pipeline(EXAMPLE.read_bytes(), "approval")


def answer(at, *steps, model="approval", version=2, reason=""):
    found = Prediction(
        id="r",
        model=model,
        version=version,
        outputs={"probability": 0.4, "text": reason},
        steps=steps or None,
        source=SourcePosition(topic="flights.requests", partition=0, offset=1),
    )
    headers = ((Header.MODEL, f"{model}/{version}".encode()),)
    return Record("flights.predictions", 0, 1, b"r", encode(found), headers, at)


QUICK = StepResult(name="quick", model="risk", version=7, milliseconds=1.25, outcome="ok")
FAILED = StepResult(name="careful", milliseconds=3.0, outcome="skipped", reason="not needed <b>")


def test_steps_have_the_version_of_now_and_that_of_the_newest_answer(pipeline):
    models = {"risk": ModelFacts({"champion": 8}, 8)}

    view = pipeline_view(pipeline, 2, models, answer(NOW, QUICK, FAILED))

    steps = {one.name: one for one in view.steps}
    assert set(steps) == set(pipeline.definition.steps)
    assert (steps["quick"].version, steps["quick"].asked) == (8, 7)
    assert (steps["quick"].milliseconds, steps["quick"].outcome) == (1.25, "ok")
    assert (steps["careful"].version, steps["careful"].outcome) == (None, "skipped")
    assert steps["prepared"].outcome == ""
    assert view.answered_at == NOW


def test_the_drawing_says_versions_and_times_and_has_no_style_of_its_own(pipeline):
    models = {"risk": ModelFacts({"champion": 8}, 8)}

    drawing = pipeline_view(pipeline, 2, models, answer(NOW, QUICK, FAILED)).drawing

    root = ET.fromstring(drawing)  # noqa: S314 - our own
    texts = {one.text for one in root.iter() if one.get("class") == "line"}
    assert {"version 8, 1.25 ms", "3 ms, skipped"} <= texts
    assert not [one for one in root.iter() if "style" in {one.tag.rpartition("}")[2], *one.keys()}]


def test_without_an_answer_only_the_definition_is_shown(pipeline):
    view = pipeline_view(pipeline, 2, {}, None)

    assert view.answered_at is None
    assert {one.milliseconds for one in view.steps} == {None}


def test_the_newest_answer_of_each_version_is_kept_and_no_answer_of_a_model():
    answers = NewestAnswers()
    answers.add(answer(NOW, model="online"))
    answers.add(answer(NOW, QUICK))
    answers.add(answer(NOW + KEPT_INTERVAL_MS - 1, QUICK))
    answers.add(answer(NOW - 5000, QUICK))
    assert answers.get("online", 2) is None
    assert answers.get("approval", 2).timestamp == NOW

    answers.add(answer(NOW + KEPT_INTERVAL_MS, QUICK))
    answers.add(answer(NOW + 60_000, QUICK, reason="x" * MAX_ANSWER_BYTES))

    assert answers.get("approval", 2).timestamp == NOW + KEPT_INTERVAL_MS
    assert answers.get("approval", 3) is None


class StubRegistry:
    """A registry of one pipeline, which may be away."""

    def __init__(self, content):
        self.content, self.reads, self.is_available = content, 0, True

    def card(self, name, version):
        self.reads += 1
        if not self.is_available:
            raise RegistryUnavailable("no answer")
        return (name, version)

    def artifact(self, card):
        return self


def test_a_definition_is_read_once_and_again_after_the_registry_was_away(pipeline):
    registry = StubRegistry(EXAMPLE.read_bytes())
    definitions = PipelineDefinitions(registry)
    registry.is_available = False
    assert definitions.get("approval", 2) is None
    assert definitions.get("approval", 2, is_available=False) is None
    assert registry.reads == 1
    registry.is_available = True

    first, second = definitions.get("approval", 2), definitions.get("approval", 2)

    assert first is second
    assert first.definition.name == pipeline.definition.name
    assert definitions.get("approval", 2, is_available=False) is first
    assert registry.reads == 2


def test_a_definition_that_cannot_be_parsed_is_not_shown():
    assert PipelineDefinitions(StubRegistry(b"[steps")).get("approval", 2) is None
