"""Every command and program of the README and of `docs/` does what its page shows.

All pages share one system. `tests/docs/blocks.py` says how a block is marked.
"""

import sys

import pytest

from tests.docs.blocks import ROOT, blocks_of
from tests.docs.prepared_system import PAGES, prepared_system
from tests.journeys.console_blocks import Command, commands_of, is_runnable

pytestmark = [pytest.mark.real, pytest.mark.journey, pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    with prepared_system(tmp_path_factory.mktemp("pages")) as prepared:
        yield prepared


def commands_to_run(page, folder):
    """Yield the commands of a page and its programs, in order."""
    for number, block in enumerate(blocks_of(ROOT / page)):
        if block.language == "console" and is_runnable(block.words):
            yield from commands_of(block.text, block.words)
        elif block.language == "python" and not block.words:
            program = folder / f"program-{number}.py"
            program.write_text(block.text)
            yield Command(f"python {program.name}", "", "")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_as_it_shows(system, page):
    reader = system.reader()
    try:
        for command in commands_to_run(page, system.folder):
            reader.run(command)
    finally:
        reader.close()
        sys.stdout.write(reader.transcript)
