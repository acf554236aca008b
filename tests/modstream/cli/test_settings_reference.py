"""The reference of the settings is complete and up to date."""

import re
from pathlib import Path

from modstream.cli.settings_reference import settings_reference
from modstream.setting_names import setting_names, variable_name
from modstream.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_page_is_what_the_command_prints():
    assert PAGE.read_text() == settings_reference(), (
        "write it again: modstream config --reference > docs/settings.md"
    )


def test_every_setting_has_a_variable_a_type_a_default_and_a_meaning():
    page = settings_reference()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+ \| .+ \| [A-Z].+\.) \|$", page, re.MULTILINE))
    groups = set(re.findall(r"^## `([\w.]+)`$", page, re.MULTILINE))

    assert {variable_name(name) for name in setting_names(Settings) if name not in groups} == {
        *rows
    }
    assert rows["MODSTREAM_BATCH__MAX_RECORDS"] == (
        "integer | `10000` | Maximum number of records."
    )
    assert rows["MODSTREAM_DELIVERY"].startswith("`exactly_once`, `at_least_once` | `exactly_once`")
