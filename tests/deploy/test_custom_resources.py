"""Custom resources of the chart against the definitions of their operators.

The definitions of KEDA and of Prometheus' operator are those of published packages. Strimzi has no
such package: its schema here is written from its documentation (strimzi.io/docs, "Custom resource
API reference"), for the fields that the chart uses.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.deploy.chart import group_of, of_kind, render
from tests.deploy.value_sets import VALUE_SETS

SETS = pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
OPERATORS = ("ScaledObject", "TriggerAuthentication", "PodMonitor")
OPERATIONS = (
    *("Read", "Write", "Delete", "Alter", "Describe", "All", "IdempotentWrite", "ClusterAction"),
    *("Create", "AlterConfigs", "DescribeConfigs"),
)


def strict(required, **properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


TEXT, NUMBER = {"type": "string"}, {"type": "integer", "minimum": 1}
RESOURCE = strict(
    ("type",),
    type={"enum": ["topic", "group", "cluster", "transactionalId"]},
    name=TEXT,
    patternType={"enum": ["literal", "prefix"]},
)
RULE = strict(
    ("resource", "operations"),
    resource=RESOURCE,
    operations={"type": "array", "items": {"enum": list(OPERATIONS)}, "minItems": 1},
)
SPECS = {
    "KafkaTopic": strict(
        (),
        topicName=TEXT,
        partitions=NUMBER,
        replicas=NUMBER,
        config={"type": "object", "additionalProperties": TEXT},
    ),
    "KafkaUser": strict(
        (),
        authentication=strict(("type",), type={"enum": ["tls", "tls-external", "scram-sha-512"]}),
        authorization=strict(
            ("type", "acls"),
            type={"const": "simple"},
            acls={"type": "array", "items": RULE, "minItems": 1},
        ),
    ),
}


@SETS
def test_strimzi_takes_topics_and_users(values):
    found = [one for one in render(values) if group_of(one) == "kafka.strimzi.io"]

    assert bool(found) == ("strimzi" in values)
    for one in found:
        assert one["apiVersion"] == "kafka.strimzi.io/v1"
        assert one["metadata"]["labels"]["strimzi.io/cluster"] == "prod"
        Draft202012Validator(SPECS[one["kind"]]).validate(one["spec"])


def faults(manifests):
    """Return what the published definitions do not have, by the program `operator_models.py`.

    It runs in an environment of its own: the packages bring a plugin of pytest with them.
    """
    command = [
        *(Path(sys.executable).with_name("uv"), "run", "-q", "--isolated", "--no-project"),
        *("--python", sys.executable),
        *("--with", "cloudcoil-models-keda", "--with", "cloudcoil-models-prometheus-operator"),
        *("python", Path(__file__).with_name("operator_models.py")),
    ]
    text = json.dumps(manifests)
    result = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


@pytest.mark.thorough
def test_operators_take_what_the_chart_gives():
    manifests = [one for values in VALUE_SETS.values() for one in render(values)]
    assert {one["kind"] for one in manifests} > {"ScaledObject", "PodMonitor"}

    assert faults(manifests) == []


@pytest.mark.thorough
def test_an_unknown_field_of_an_operator_would_be_found():
    manifests = render(VALUE_SETS["everything"])
    wrong = [next(iter(of_kind(manifests, kind).values())) for kind in OPERATORS]
    for one in wrong:
        one["spec"]["wrong"] = 1

    assert faults(wrong) == [f"{kind}.spec.wrong" for kind in OPERATORS]
