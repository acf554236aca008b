"""Values that the schema permits give manifests that Kubernetes takes, or are refused by name."""

import json
import re
from collections import Counter

import helm_python
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.deploy.chart import CHART, VERSIONS, problems, render
from tests.deploy.schema_values import permitted
from tests.deploy.value_sets import ROLES, VALUE_SETS

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
SENTENCE = re.compile(r"[a-z]+(\.[a-zA-Z]+)+: \S")
"""How `templates/_checks.tpl` refuses values that do not fit together."""
WRONG = ({"wrong": 1}, ["wrong", 3.5], -1.5)
"""Values that no value of the chart may have."""


def section(name):
    """Return a strategy of the values of a section."""
    return permitted(SCHEMA["properties"][name], SCHEMA["definitions"])


def leaves(values, path=()):
    """Yield the paths of values that are no maps and not empty."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name)


@st.composite
def value_sets(draw):
    """A known set of values, with two of its sections replaced."""
    values = dict(draw(st.sampled_from(list(VALUE_SETS.values()))))
    names = st.sampled_from(sorted(SCHEMA["properties"].keys() - {"global"}))
    for name in draw(st.sets(names, min_size=1, max_size=2)):
        values[name] = draw(section(name))
    return values


@pytest.mark.thorough
def test_200_generated_sets_are_valid_or_refused():
    outcomes = Counter()

    @settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    @given(value_sets(), st.sampled_from(VERSIONS))
    def check(values, version):
        try:
            manifests = render(values)
        except helm_python.HelmError as error:
            assert SENTENCE.search(str(error)), error
            outcomes["refused"] += 1
            return
        assert problems(manifests, version) == []
        outcomes["valid"] += 1

    check()

    assert outcomes["valid"] > outcomes["refused"] > 0


@pytest.mark.thorough
def test_a_wrong_value_anywhere_is_refused():
    """Each default is replaced by values of other types."""
    defaults = helm_python.Chart.load(CHART).values
    paths = [path for path in leaves(defaults) if path[0] in {"kafka", "redis", *ROLES}]
    assert len(paths) > 100

    for path in paths:
        for wrong in WRONG:
            values = wrong
            for name in reversed(path):
                values = {name: values}
            with pytest.raises(helm_python.HelmValuesError) as refused:
                helm_python.Chart.load(CHART).validate_schema(values)
            assert path[-1] in str(refused.value)
