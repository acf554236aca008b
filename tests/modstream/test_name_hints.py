"""The nearest known names for one that is unknown."""

import pytest

from modstream.errors import UnknownName
from modstream.name_hints import nearest_names, suggest_names


@pytest.mark.parametrize(
    ("name", "known", "nearest"),
    [
        ("fligths", ["flights", "iris"], ["flights"]),
        ("FLIGHTS", ["flights", "iris"], ["flights"]),
        ("onlin", ["online", "offline", "frozen"], ["online"]),
        ("challenger-3", ["challenger-1", "challenger-2"], ["challenger-1", "challenger-2"]),
        ("xyzzy", ["flights", "iris"], []),
        ("", ["flights"], []),
        ("flights", [], []),
    ],
)
def test_only_names_that_resemble_the_unknown_one_are_near(name, known, nearest):
    assert nearest_names(name, known) == nearest


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("fligths", ["flights"], "did you mean flights?"),
        ("model-3", ["model-2", "model-1"], "did you mean model-1 or model-2?"),
        ("xyzzy", ["iris"], "known is iris"),
        ("xyzzy", ["iris", "flights"], "known are flights and iris"),
        ("xyzzy", [], ""),
        (
            "xyzzy",
            map(str, range(20)),
            "known are 0, 1, 10, 11, 12, 13, 14, 15 and 12 more",
        ),
    ],
)
def test_a_hint_names_the_nearest_names_or_else_those_that_exist(name, known, hint):
    assert suggest_names(name, known) == hint


def test_the_error_for_an_unknown_name_is_one_sentence_with_the_hint_and_the_remedy():
    remedy = "`modstream topics create fligths` creates it"

    near = str(UnknownName("stream", "fligths", ["flights"], remedy))
    far = str(UnknownName("stream", "fligths", ["iris"], remedy))
    alone = str(UnknownName("stream", "fligths", []))

    assert near == f"unknown stream fligths: did you mean flights? {remedy}"
    assert far == f"unknown stream fligths: known is iris; {remedy}"
    assert alone == "unknown stream fligths"
