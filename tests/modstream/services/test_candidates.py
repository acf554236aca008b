"""Candidates resumed from a real registry: the champion, the last-good version, batch models."""

import re

import pytest

from modstream.broker.client.admin import Admin
from modstream.errors import RuntimeCannotLearn
from modstream.models.registry.errors import ModelNotFound
from modstream.models.registry.refs import CHAMPION, LAST_GOOD
from modstream.models.schema.version_spec import VersionSpec
from modstream.services.candidates import (
    candidate_note,
    current_champion,
    newest_version,
    resume,
    updated_batch_models,
)
from tests.modstream.services.candidate_registry import (
    load_test_settings,
    publish_onnx,
    publish_river,
    registry_of_two,
)

pytestmark = pytest.mark.real


@pytest.fixture
def settings(bootstrap, redis_url, prefix, tmp_path):
    return load_test_settings(bootstrap, redis_url, prefix, tmp_path)


@pytest.fixture
def registry(settings):
    with registry_of_two(settings) as registry:
        yield registry


def test_the_candidate_whose_version_is_the_champion_serves(settings, registry):
    candidates = resume(settings, registry, "m")

    assert list(candidates.learners) == ["slow", "quick"]
    assert candidates.gate.champion == "slow"


@pytest.mark.parametrize("note", [candidate_note("quick"), "member quick"])
def test_a_champions_note_names_its_candidate_in_the_present_and_the_former_form(
    settings, registry, note
):
    champion = publish_river(registry, CHAMPION, 0.05, note=note, parent=2)

    assert newest_version(registry, "m", "quick").version == champion.version
    candidates = resume(settings, registry, "m")
    assert candidates.gate.champion == "quick"
    assert candidates.learners["quick"].card.version == champion.version


@pytest.mark.parametrize("alias", [LAST_GOOD, "good"])
def test_a_last_good_version_serves_on_under_its_present_and_its_former_alias(
    settings, registry, alias
):
    publish_river(registry, "slow", 0.0001, note=candidate_note("slow"), parent=1)
    registry.promote("m", 1, alias)

    candidates = resume(settings, registry, "m")

    assert candidates.gate.champion == LAST_GOOD
    assert candidates.frozen[LAST_GOOD].card.version == 1
    assert candidates.learners["slow"].card.version == 3


@pytest.mark.parametrize("metric", ["test_number", "round"])
def test_the_gate_continues_after_the_test_number_of_an_earlier_process(settings, registry, metric):
    publish_river(registry, "quick", 0.05, metrics={metric: 4}, parent=2)

    assert resume(settings, registry, "m").gate.first_test_number == 5


def test_a_batch_model_that_was_published_again_is_found(settings, registry):
    settings = settings.model_copy(update={"candidates": ("slow", "batch")})
    publish_onnx(registry, "batch", 1)
    frozen = resume(settings, registry, "m").frozen

    assert updated_batch_models(settings, registry, "m", frozen) == {}
    publish_onnx(registry, "batch", 2)

    updated = updated_batch_models(settings, registry, "m", frozen)
    assert updated["batch"].card.version == frozen["batch"].card.version + 1


def publish_unreadable(registry, card, alias):
    """Publish a successor of a version whose artifact was made by another River release."""
    content = registry.artifact(card).content
    artifact = re.sub(rb'"river":"[^"]*"', b'"river":"0.1.0"', content, count=1)
    fields = card.model_dump(include={"name", "runtime", "task", "classes"})
    spec = VersionSpec(**fields, input_schema=card.input_schema, parent=card.version)
    return registry.publish(spec, artifact, alias=alias)


def test_candidates_continue_from_their_newest_readable_versions(settings, registry):
    Admin(settings.connection).create(settings.topic_specs())
    slow, quick = registry.card("m", "slow"), registry.card("m", "quick")
    publish_unreadable(registry, quick, "quick")
    publish_unreadable(registry, slow, LAST_GOOD)

    candidates = resume(settings, registry, "m")

    assert {name: one.card.version for name, one in candidates.learners.items()} == {
        "slow": slow.version,
        "quick": quick.version,
    }
    assert LAST_GOOD not in candidates.frozen


def test_a_model_without_candidates_skips_versions_that_cannot_learn(settings, registry):
    publish_onnx(registry, "challenger", 1)

    candidates = resume(settings.model_copy(update={"candidates": ()}), registry, "m")

    assert candidates.lead.card.version == registry.resolve("m", "quick")
    assert not candidates.is_gated


def test_candidates_that_cannot_learn_or_have_no_version_are_refused(settings, registry):
    publish_onnx(registry, "batch", 1)

    with pytest.raises(RuntimeCannotLearn):
        resume(settings.model_copy(update={"candidates": ("batch",)}), registry, "m")
    with pytest.raises(ModelNotFound):
        resume(settings.model_copy(update={"candidates": ("unknown",)}), registry, "m")


def test_a_promoted_candidate_is_the_champion(settings, registry):
    registry.promote("m", 2)

    learners = resume(settings, registry, "m").learners

    assert current_champion(registry, "m", learners) == "quick"
