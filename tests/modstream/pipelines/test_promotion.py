"""Versions of a pipeline are promoted like those of a model, and cannot learn."""

import pytest

from modstream.models.errors import UnreadableArtifact
from modstream.models.runtimes.pipeline_runtime import load
from modstream.models.schema.artifact import Artifact
from modstream.models.trial.process import TrialProcess
from modstream.models.trial.settings import TrialLimits
from tests.processors.pipeline_models import make_card

TEXT = b'name = "p"\n[request]\nx = "float"\n[steps.a]\nmodel = "m"\n[output]\ny = "a.value"\n'


def card_of(content):
    artifact = Artifact(content)
    fields = {"runtime": "pipeline", "sha256": artifact.sha256, "size": artifact.size}
    return make_card("p", ["x"], "pipeline", **fields)


def test_the_trial_of_a_pipeline_reads_it_without_its_models():
    with TrialProcess(TrialLimits()) as trials:
        report = trials.run(card_of(TEXT), Artifact(TEXT))

    assert report.rows == 0


def test_an_artifact_that_is_no_definition_cannot_be_loaded():
    with pytest.raises(UnreadableArtifact, match="this is no TOML document"):
        load(b"\xff", card_of(b"\xff"))


def test_a_loaded_pipeline_names_the_models_that_it_asks():
    runtime = load(TEXT, card_of(TEXT))

    assert runtime.models == (("m", "champion"),)
    assert runtime.snapshot() == TEXT
