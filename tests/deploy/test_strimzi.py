"""Topics and users of Strimzi in the chart are those of modstream's own tables."""

import json

import pytest

from modstream.rights.chart_tables import (
    CHART_SETTINGS,
    SCHEMA,
    TABLES,
    UNSUPPORTED_SETTINGS,
    chart_tables,
    with_settings,
)
from modstream.rights.formats import strimzi
from modstream.rights.rights import Role, rights_of
from modstream.settings import Settings, load_settings
from tests.deploy.chart import CHART, of_kind, render
from tests.deploy.value_sets import EVERYTHING, STRIMZI_TLS

SETTINGS = (
    {},
    {"partitions": 12, "retention_days": 120},
    {"inference_log": {"enabled": True}},
    {"inference_log": {"enabled": True, "retention_days": 3}, "retention_days": 30},
)


def test_the_generated_files_are_current():
    """`make chart` writes them."""
    schema = json.loads((CHART / SCHEMA).read_text())

    assert json.loads((CHART / TABLES).read_text()) == chart_tables()
    assert schema == with_settings(schema)


def test_each_setting_is_offered_or_excluded():
    schema = json.loads((CHART / SCHEMA).read_text())
    offered = schema["definitions"]["settings"]["properties"].keys()

    assert Settings.model_fields.keys() - offered == CHART_SETTINGS | UNSUPPORTED_SETTINGS


@pytest.fixture(params=SETTINGS, ids=str)
def chosen(request, monkeypatch, tmp_path):
    """Return values of the chart, and the same settings."""
    monkeypatch.chdir(tmp_path)
    values = {**EVERYTHING, "settings": request.param, "prefix": "acme.", "stream": "late_Flights"}
    values["worker"] = {"enabled": True}
    log = request.param.get("inference_log")
    options = {**request.param, "prefix": "acme.", "stream": "late_Flights"}
    return values, load_settings(**{**options, "inference_log": log})


def test_topics_are_those_that_modstream_would_create(chosen):
    values, settings = chosen

    found = of_kind(render(values), "KafkaTopic").values()

    assert [
        (one["spec"]["topicName"], one["spec"]["partitions"], one["spec"]["config"])
        for one in found
    ] == [
        (spec.name, spec.partitions, {**spec.config, "min.insync.replicas": "2"})
        for spec in settings.topic_specs()
    ]
    assert {one["spec"]["replicas"] for one in found} == {3}


def test_users_have_the_rights_of_their_roles(chosen):
    values, settings = chosen

    found = of_kind(render(values), "KafkaUser")

    names = {role: f"acme-late-flights-{role}" for role in Role}
    assert sorted(found) == sorted(names.values())
    for role, name in names.items():
        expected = json.loads(strimzi(rights_of(role, settings), name))
        assert found[name]["spec"] == expected["spec"], role
        assert found[name]["apiVersion"] == expected["apiVersion"]


def test_each_role_logs_in_as_its_own_user():
    manifests = render(EVERYTHING)
    users = of_kind(manifests, "KafkaUser")

    for name, one in of_kind(manifests, "StatefulSet").items():
        spec = one["spec"]["template"]["spec"]
        variables = {item["name"]: item.get("value") for item in spec["containers"][0]["env"]}
        user = f"acme-flights-{name.rpartition('-')[2]}"
        assert user in users
        assert variables["MODSTREAM_KAFKA_SECURITY__USERNAME"] == user
        sources = spec["volumes"][-1]["projected"]["sources"]
        assert sources[0]["secret"]["name"] == user


def test_certificates_of_users_are_those_of_strimzi():
    manifests = render(STRIMZI_TLS)

    worker = of_kind(manifests, "StatefulSet")["demo-modstream-worker"]
    (secrets,) = [
        volume["projected"]["sources"]
        for volume in worker["spec"]["template"]["spec"]["volumes"]
        if volume["name"] == "secrets"
    ]
    items = {
        item["key"]: one["secret"]["name"] for one in secrets for item in one["secret"]["items"]
    }
    assert items == {
        "ca.crt": "kafka-ca",
        "user.crt": "flights-worker",
        "user.key": "flights-worker",
    }
    user = of_kind(manifests, "KafkaUser")["flights-worker"]
    assert user["spec"]["authentication"] == {"type": "tls"}


def test_topics_outlive_the_release():
    for one in of_kind(render(EVERYTHING), "KafkaTopic").values():
        assert one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_a_shared_topic_belongs_to_one_release():
    values = {**EVERYTHING, "strimzi": {**EVERYTHING["strimzi"], "modelEvents": False}}

    assert "acme-model-events" not in of_kind(render(values), "KafkaTopic")
    assert "acme-model-events" in of_kind(render(EVERYTHING), "KafkaTopic")
