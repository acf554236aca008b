"""The first hour of a newcomer, as docs/first-hour.md tells it: each command does what it shows."""

import sys
from pathlib import Path

import pytest

from tests.docs.programs import INSTALLED, forked_programs
from tests.journeys.console_blocks import Reader, read_commands

PAGE = Path(__file__).parents[2] / "docs" / "first-hour.md"

pytestmark = [pytest.mark.real, pytest.mark.journey, pytest.mark.long, pytest.mark.timeout(600)]


def test_the_first_hour_is_as_its_page_shows(tmp_path):
    folder = tmp_path / "reader"
    folder.mkdir()
    with forked_programs(tmp_path / "forks") as path:
        reader = Reader(folder, path, background_path=INSTALLED)
        try:
            for command in read_commands(PAGE.read_text()):
                reader.run(command)
        finally:
            reader.close()
            sys.stdout.write(reader.transcript)
