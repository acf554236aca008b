"""A pipeline from its file to an answer: checked, published, loaded with its models."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from modstream.cli.app import app
from modstream.cli.output_names import describe_outputs
from modstream.local_model import load_model
from modstream.models.errors import InvalidPipeline
from modstream.models.pipelines.checks import check_pipeline
from modstream.models.pipelines.pipeline import parse_pipeline
from modstream.models.security.signing import Trust
from modstream.models.serving.model_cache import ModelCache
from modstream.pipelines.files import find_pipeline
from modstream.pipelines.publishing import spec_of
from modstream.pipelines.svg import as_svg
from modstream.pipelines.text import as_text
from modstream.registry.access import open_registry
from modstream.settings import load_settings
from tests.models.constant_model import publish_constant

EXAMPLE = Path(__file__).parents[3] / "examples/pipelines/approval.toml"
TEXT = """
name = "double"
[request]
distance = "float"
[steps.a]
model = "flights"
[steps.b]
transform = { twice = "a.probability * 2" }
[output]
twice = "b.twice"
"""
ANSWER = "twice"


@pytest.fixture
def settings(redis_url, prefix, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODSTREAM_REDIS", redis_url)
    monkeypatch.setenv("MODSTREAM_PREFIX", prefix)
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines/double.toml").write_text(TEXT)
    return load_settings(home=tmp_path)


@pytest.fixture
def registry(settings):
    with open_registry(settings) as registry:
        publish_constant(registry, 1)
        yield registry


def publish(registry, text=TEXT):
    """Publish a definition without announcing it, as there is no Kafka."""
    pipeline = parse_pipeline(text.encode(), "double")
    checked = check_pipeline(pipeline, registry.card, "double")
    return registry.publish(spec_of(checked), text.encode())


@pytest.mark.real
def test_a_pipeline_is_loaded_like_a_model_and_predicts_in_the_callers_process(settings, registry):
    card = publish(registry)

    with load_model("double", settings=settings) as model:
        answer = model.predict({"distance": 1.0})
        pair = model.predict([{"distance": 1.0}, {"distance": 2.0}])

    assert (card.runtime, card.task, card.version) == ("pipeline", "pipeline", 1)
    assert describe_outputs(card) == [(ANSWER, "a number")]
    assert answer.outputs == {ANSWER: pytest.approx(2 * 0.7310586)}
    assert [(one.name, one.version) for one in answer.steps] == [("a", 1), ("b", None)]
    assert len(pair.outputs) == 2


@pytest.mark.real
def test_a_cache_loads_the_models_of_a_pipeline_before_it_serves_and_follows_a_rollback(
    settings, registry
):
    publish(registry)
    cache = ModelCache(registry, Trust())

    cache.load("double")
    loaded = cache.versions
    publish(registry, TEXT.replace("* 2", "* 3"))
    cache.refresh()
    changed = cache.versions["double", "champion"]
    registry.rollback("double")
    cache.refresh()

    assert loaded == {("double", "champion"): 1, ("flights", "champion"): 1}
    assert (changed, cache.versions["double", "champion"]) == (2, 1)


@pytest.mark.real
def test_an_unchanged_definition_is_no_new_version(settings, registry):
    assert [publish(registry).version for _ in range(2)] == [1, 1]


@pytest.mark.real
def test_commands_check_list_and_show_definitions(settings, registry):
    def call(*arguments):
        return CliRunner().invoke(app, ["pipelines", *arguments])

    Path("pipelines/bad.toml").write_text(TEXT.replace('"flights"', '"fights"'))
    listed = json.loads(call("list", "--json").stdout)
    good, bad = call("check", "double"), call("check")
    shown, drawn = call("show", "double"), call("show", "double", "--svg", "double.svg")

    assert [one["state"] for one in listed] == ["not published"] * 2
    assert listed[1]["models"] == "flights champion"
    assert (good.exit_code, bad.exit_code) == (0, 1), (good.output, good.exception)
    assert "pipelines/bad.toml: step a: model" in bad.stdout
    assert "twice = a.probability * 2" in shown.stdout
    assert drawn.exit_code == 0
    assert ET.parse("double.svg").getroot().tag.endswith("svg")  # noqa: S314 - our own


@pytest.mark.real
def test_a_definition_is_found_by_its_name_whatever_its_file_is_called(settings):
    Path("pipelines/double.toml").rename("pipelines/other.toml")

    assert find_pipeline(settings.pipelines_dir, "double").path == Path("pipelines/other.toml")
    assert find_pipeline(settings.pipelines_dir, "pipelines/other.toml").name == "double"
    with pytest.raises(InvalidPipeline, match="cannot be read: No such file"):
        find_pipeline(settings.pipelines_dir, "missing.toml")


def test_the_drawing_and_the_text_name_every_part_of_the_example():
    pipeline = parse_pipeline(EXAMPLE.read_bytes(), "approval")

    svg, text = as_svg(pipeline), as_text(pipeline)

    root = ET.fromstring(svg)  # noqa: S314 - our own
    names = {one.text for one in root.iter() if one.get("class") == "name"}
    assert names == {"request", "answer", *pipeline.definition.steps}
    assert all(name in text for name in pipeline.definition.steps)
