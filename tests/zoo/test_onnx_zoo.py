"""The zoo of hand-made ONNX graphs: each is served and equals its own run, or is refused."""

import re

import pytest

from tests.zoo.onnx_zoo import CASES, run_case

pytestmark = pytest.mark.zoo


def test_there_are_at_least_forty_graphs():
    assert len(CASES) >= 40


@pytest.mark.parametrize("name", CASES)
def test_a_graph_is_served_like_its_own_run_or_refused_with_its_sentence(name):
    case = CASES[name]

    result = run_case(case)

    if case.refused:
        assert result.outcome == "refused"
        assert re.search(case.refused, result.sentence), result.sentence
    else:
        assert result.outcome == "served", result
