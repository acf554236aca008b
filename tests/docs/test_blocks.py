"""Every block of code in the README and in `docs/` is run or validated; none is without a class."""

import json
import re
import tomllib
from itertools import chain

import pytest
import yaml
from jsonschema import Draft202012Validator

from modstream.broker.wire.json_schemas import json_schema
from modstream.models.pipelines.definition import PipelineDefinition
from modstream.processors.features.files import parse_features
from modstream.settings import Settings, load_settings
from tests.docs.blocks import ELSEWHERE, ROOT, blocks_of, fault_of, indented_blocks, pages
from tests.docs.prepared_system import PAGES
from tests.docs.shell_commands import check_command
from tests.journeys.console_blocks import commands_of

BLOCKS = list(chain.from_iterable(map(blocks_of, pages())))


def of(language, *, parsed_only=False):
    return [one for one in BLOCKS if one.language == language and one.is_parsed_only == parsed_only]


def test_every_block_has_a_class():
    faults = [f"{block}: {fault}" for block in BLOCKS if (fault := fault_of(block))]

    assert faults == []
    assert len(BLOCKS) > 80


def test_every_fence_is_read():
    for path in pages():
        fences = re.findall(r"^ *`{3,}", path.read_text(), re.MULTILINE)
        assert len(fences) == 2 * len(blocks_of(path)), path


def test_no_block_is_indented_instead_of_fenced():
    found = {path.relative_to(ROOT).as_posix(): indented_blocks(path) for path in pages()}

    assert {page: lines for page, lines in found.items() if lines} == {}


def test_every_page_with_blocks_to_run_is_run():
    needed = {one.page for one in (*of("console"), *of("python"))}

    assert needed - ELSEWHERE.keys() == set(PAGES)


def test_the_tests_of_other_pages_name_them():
    for page, test in ELSEWHERE.items():
        assert page.rpartition("/")[2] in (ROOT / test).read_text()


@pytest.mark.parametrize("block", of("console", parsed_only=True), ids=str)
def test_commands_that_are_not_run_exist_with_their_options(block):
    commands = commands_of(block.text)

    assert commands
    for command in commands:
        check_command(command.text)


@pytest.mark.parametrize("block", of("python", parsed_only=True), ids=str)
def test_programs_that_are_not_run_compile(block):
    compile(block.text, str(block), "exec")


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_json_is_valid(block):
    for line in block.text.splitlines():
        found = json.loads(line)
        if block.words:
            Draft202012Validator(json_schema(block.words)).validate(found)


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_toml_is_valid(block, tmp_path, monkeypatch):
    if block.words == "settings":
        (tmp_path / "modstream.toml").write_text(block.text)
        monkeypatch.chdir(tmp_path)
        assert isinstance(load_settings(), Settings)
    elif block.words == "pipeline":
        PipelineDefinition.model_validate(tomllib.loads(block.text))
    elif block.words == "features":
        assert parse_features(block.text.encode(), str(block)).names


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_values_of_the_chart_are_taken(block):
    pytest.importorskip("helm_python", reason="no release for this Python")
    from tests.deploy.chart import problems, render  # noqa: PLC0415 - it imports Helm

    assert problems(render(yaml.safe_load(block.text)), "1.37") == []
