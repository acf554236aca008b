"""The kinds of the tests of a file, by its text."""

import pytest

from tests.file_kinds import KINDS, has_kind


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("def test_one(): ...", {"unit"}),
        ("@pytest.mark.real\ndef test_one(): ...", {"real", "unit"}),
        ("pytestmark = pytest.mark.real\n", {"real"}),
        ("import pytest\n\npytestmark = [pytest.mark.long, pytest.mark.journey]\n", {"real"}),
        ("pytestmark = [\n    pytest.mark.real,\n]\n", {"real", "unit"}),
        ("pytestmark = pytest.mark.zoo\n", {"unit"}),
    ],
)
def test_a_file_has_the_kinds_that_its_marks_allow(tmp_path, text, kinds):
    path = tmp_path / "test_some.py"
    path.write_text(text)

    assert {kind for kind in KINDS if has_kind(path, kind)} == kinds


def test_a_fixture_beside_the_file_may_mark_its_tests(tmp_path):
    (tmp_path / "conftest.py").write_text("SYSTEMS = [pytest.param(1, marks=pytest.mark.real)]\n")
    path = tmp_path / "test_some.py"
    path.write_text("def test_one(system): ...\n")

    assert {kind for kind in KINDS if has_kind(path, kind)} == {"real", "unit"}
