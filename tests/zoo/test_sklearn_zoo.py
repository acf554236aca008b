"""Every estimator of scikit-learn that takes a small table is served correctly, or refused."""

import pytest
from threadpoolctl import threadpool_limits

from tests.zoo.results import ZooResult
from tests.zoo.sklearn_models import ZooModel, estimators, pipelines
from tests.zoo.sklearn_zoo import results

pytestmark = [pytest.mark.zoo, pytest.mark.filterwarnings("ignore")]
SERVED_SHARE = 0.9
"""The least share of classifiers, regressors, clusterers and detectors that must be served."""
STEP = 4
"""Every fourth pipeline is tried here; `make zoo` sends all of them through Kafka."""


def outcomes(models: list[ZooModel]) -> list[ZooResult]:
    # Threads that wait for each other would take most of the time.
    with threadpool_limits(limits=1):
        return results(models)


def faults(found: list[ZooResult]) -> list[ZooResult]:
    return [result for result in found if result.is_fault]


@pytest.mark.long
def test_estimators_are_served_as_the_library_predicts_or_refused_with_a_reason():
    models = [model for model in estimators() if not model.name.endswith(", two classes")]
    predictors = {model.name for model in models if model.is_predictor}

    found = outcomes(models)

    assert faults(found) == []
    assert all(result.sentence for result in found if result.outcome == "refused")
    served = {result.name for result in found if result.outcome == "served"}
    assert len(served & predictors) >= SERVED_SHARE * len(predictors)
    assert len(predictors) > 90


@pytest.mark.long
def test_pipelines_are_served_as_the_library_predicts():
    models = list(pipelines())

    found = outcomes(models[::STEP])

    assert [result for result in found if result.outcome != "served"] == []
    assert len(models) > 70
