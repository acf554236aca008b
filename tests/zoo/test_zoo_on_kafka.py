"""The whole zoo through a real worker: published after a trial, asked, and for River taught.

`make zoo` runs all models and prints the table; `make test` runs a small part of them.
"""

from collections.abc import Sequence
from itertools import chain, islice

import pytest

from tests.zoo.kafka import kafka_serving
from tests.zoo.kafka_learning import learned_results, learning_groups
from tests.zoo.onnx_zoo import CASES, run_case
from tests.zoo.results import ZooResult, print_table
from tests.zoo.river_models import cases
from tests.zoo.sklearn_models import estimators, pipelines
from tests.zoo.sklearn_zoo import result_of

pytestmark = [
    pytest.mark.real,
    pytest.mark.zoo,
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore"),
]

STEP = 40
"""`make test` takes every 40th model."""


@pytest.fixture
def serve(bootstrap, redis_url, prefix, tmp_path):
    """The function that serves an imported model by a running worker."""
    with kafka_serving(bootstrap, redis_url, prefix, tmp_path) as serving:
        yield serving


@pytest.fixture
def part(pytestconfig):
    """Return all models, or every `STEP`th of them."""
    step = 1 if pytestconfig.getoption("--zoo") == "all" else STEP
    return lambda models: list(islice(models, 0, None, step))


def test_models_of_scikit_learn_and_graphs_are_served_like_their_own_library(serve, part):
    found = [run_case(case, serve) for case in part(CASES.values())]
    found += [result_of(model, serve) for model in part(chain(estimators(), pipelines()))]

    assert_no_fault(found)


def test_models_of_river_learn_like_river(bootstrap, redis_url, tmp_path, part):
    groups = learning_groups(part(cases()))

    assert_no_fault(list(learned_results(bootstrap, redis_url, tmp_path, groups)))


def assert_no_fault(found: Sequence[ZooResult]) -> None:
    """Print the table, and assert that no answer is wrong and no published model is dead."""
    print_table(found)
    assert found
    assert [result for result in found if result.is_fault] == []
