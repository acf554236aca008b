"""What becomes of personal values, and which features may be marked."""

import json

import pytest

from modstream.models.schema.feature import Feature
from modstream.models.schema.personal import Protection, pseudonym
from tests.processors.small_fixtures import make_card

SECRET = b"s" * 32


@pytest.mark.parametrize(
    ("protection", "value", "kept"),
    [
        ("drop", "anna", None),
        ("pseudonymise", "anna", pseudonym(SECRET, "f", "anna")),
        ("pseudonymise", 42, pseudonym(SECRET, "f", "42")),
        ("pseudonymise", None, None),
        ("pseudonymise", ["anna"], None),
        ("generalise=10", 37, 30),
        ("generalise=10", -1, -10),
        ("generalise=0.5", 1.7, 1.5),
        ("generalise=2.5", 6, 5),
        ("generalise=10", float("nan"), None),
        ("generalise=10", float("inf"), None),
        ("generalise=10", 10**400, None),
        ("generalise=10", True, None),
        ("generalise=10", "37", None),
        ("shorten=2", "10115", "10"),
        ("shorten=2", 10115, None),
        ("shorten=2", {"zip": "10115"}, None),
    ],
)
def test_a_value_is_replaced(protection, value, kept):
    found = Protection.parse(protection).apply("f", value, SECRET)

    assert (found, type(found)) == (kept, type(kept))


def test_without_a_secret_there_is_no_pseudonym():
    assert Protection.parse("pseudonymise").apply("f", "anna", None) is None


def test_pseudonyms_differ_by_person_feature_and_value():
    made = {
        pseudonym(secret, name, value)
        for secret in (SECRET, b"t" * 32)
        for name in ("f", "g")
        for value in ("anna", "bob", "\ud800")
    }
    assert len(made) == 12
    assert pseudonym(SECRET, "f", "anna") in made


@pytest.mark.parametrize(
    "text",
    [
        *("", "hide", "drop=1", "generalise", "generalise=", "generalise=0", "generalise=nan"),
        *("generalise=x", "generalise=-1", "shorten=1.5", "shorten=inf", "pseudonymise=2"),
    ],
)
def test_other_forms_are_refused(text):
    with pytest.raises(ValueError, match=r"none of|positive number"):
        Protection.parse(text)


@pytest.mark.parametrize(
    ("kind", "missing", "personal"),
    [
        ("string", False, "drop"),
        ("string", False, "generalise=5"),
        ("float", False, "pseudonymise"),
        ("int", False, "shorten=2"),
        ("string", False, "encrypt"),
    ],
)
def test_a_mark_that_leaves_no_value_of_the_feature_is_refused(kind, missing, personal):
    with pytest.raises(ValueError, match=r"dropped|generalised|pseudonym|none of"):
        Feature(name="f", kind=kind, missing=missing, personal=personal)


def test_a_card_without_marks_has_the_bytes_that_earlier_releases_write():
    plain = make_card().canonical_bytes()

    assert "personal" not in json.dumps(json.loads(plain)["input_schema"])
