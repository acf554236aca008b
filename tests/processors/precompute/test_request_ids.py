"""The request ids of a run tell the row and the attempt, and are those of no other run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modstream.broker.wire.identifiers import MAX_ID_LENGTH
from modstream.processors.precompute.request_ids import RequestIds, RowAttempt

IDS = RequestIds("nightly", "4f9a1c2b")


@given(row=st.integers(0, 2**63), attempt=st.integers(1, 10_000))
def test_an_id_tells_its_row_and_attempt(row, attempt):
    assert IDS.parse(IDS.make(row, attempt)) == RowAttempt(row, attempt)


def test_the_ids_of_a_run_are_the_same_at_every_resume():
    assert RequestIds("nightly", "4f9a1c2b").make(16) == IDS.make(16) == "nightly.4f9a1c2b.16"
    assert IDS.make(16, 2) == "nightly.4f9a1c2b.16~2"


def test_the_longest_id_is_a_valid_request_id():
    assert len(RequestIds("n" * 100, "4f9a1c2b").make(2**63, 10**6)) <= MAX_ID_LENGTH


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nightly.4f9a1c2b.",
        "nightly.4f9a1c2b.x",
        "nightly.4f9a1c2b.-1",
        "nightly.4f9a1c2b.01",
        "nightly.4f9a1c2b.1~1",
        "nightly.4f9a1c2b.1~x",
        "nightly.4f9a1c2b.1~",
        "nightly.4f9a1c2b.²",
        "nightly.00000000.1",
        "weekly.4f9a1c2b.1",
    ],
)
def test_the_ids_of_others_are_not_those_of_the_run(text):
    assert IDS.parse(text) is None


@given(text=st.text(max_size=20))
def test_only_ids_that_the_run_makes_are_parsed(text):
    found = IDS.parse(IDS.prefix + text)

    assert found is None or IDS.make(*found) == IDS.prefix + text
