"""The manifests of the Helm chart: valid for Kubernetes, and without rights that no pod needs."""

import re
from itertools import chain

import helm_python
import pytest

from modstream.settings import load_settings
from tests.deploy.chart import CHART, VERSIONS, of_kind, pods, problems, render
from tests.deploy.value_sets import EVERYTHING, MINIMAL, ROLES, TOKENS, VALUE_SETS

OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]
SETS = pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
SECRET_FILES = re.compile(r"(_FILE|_CERTIFICATE|_TLS_KEY|_API_KEYS|SIGNING_KEY)$")


@SETS
def test_helm_finds_no_fault(values):
    report = helm_python.lint(CHART, values, strict=True)

    assert [one for one in report["messages"] if one["severity"] > 1] == []
    assert report["errors"] == []


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_takes_the_manifests(version):
    assert problems(render(EVERYTHING), version) == []


@pytest.mark.thorough
@pytest.mark.parametrize("version", VERSIONS)
@SETS
def test_each_version_takes_each_set(values, version):
    assert problems(render(values), version) == []


def test_a_wrong_manifest_would_be_found():
    for change in ({"replicas": "two"}, {"replica": 2}, {"minReadySeconds": 1e6}):
        manifests = render({})
        of_kind(manifests, "StatefulSet")["demo-modstream-worker"]["spec"] |= change

        (problem,) = problems(manifests, NEWEST)

        assert "demo-modstream-worker" in problem


@SETS
def test_pods_have_no_more_rights_than_they_need(values):
    found = list(pods(render(values)))

    assert found
    for name, template, container in found:
        pod, own = template["spec"]["securityContext"], container["securityContext"]
        assert pod["runAsNonRoot"], name
        assert pod["runAsUser"] > 0, name
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert own["readOnlyRootFilesystem"], name
        assert not own["allowPrivilegeEscalation"], name
        assert own["capabilities"] == {"drop": ["ALL"]}, name
        assert template["spec"]["automountServiceAccountToken"] is False, name
        assert template["spec"]["enableServiceLinks"] is False, name
        assert container["resources"]["requests"].keys() >= {"cpu", "memory"}, name
        assert "memory" in container["resources"]["limits"], name
        assert "hostNetwork" not in template["spec"], name
        volumes = {one["name"]: one for one in template["spec"]["volumes"]}
        assert all("sizeLimit" in one.get("emptyDir", {"sizeLimit": 1}) for one in volumes.values())
        writable = {one["mountPath"] for one in container["volumeMounts"] if "readOnly" not in one}
        assert writable == {"/home/modstream", "/tmp"}, name  # noqa: S108 - of the container


@SETS
def test_secrets_are_files_and_nothing_else(values):
    manifests = render(values)

    assert of_kind(manifests, "Secret") == {}
    for name, template, container in pods(manifests):
        assert not any("SecretKeyRef" in str(one) for one in (container["env"], template)), name
        assert container["envFrom"] == [{"configMapRef": {"name": "demo-modstream"}}], name
        assert not any("secret" in argument for argument in container["args"]), name
        variables = {one["name"]: one.get("value", "") for one in container["env"]}
        mounted = set(secret_paths(template))
        named = {value for name, value in variables.items() if SECRET_FILES.search(name)}
        assert named == mounted, name


def secret_paths(template):
    """Return the files of the Secrets that are mounted into a pod."""
    volumes = {one["name"]: one for one in template["spec"]["volumes"]}
    sources = volumes.get("secrets", {"projected": {"sources": []}})["projected"]["sources"]
    items = chain.from_iterable(one["secret"]["items"] for one in sources)
    return [f"/run/secrets/modstream/{one['path']}" for one in items]


@SETS
def test_each_process_can_read_its_settings(values, monkeypatch, tmp_path):
    """The environment of each pod, with its name, is read as the process would read it."""
    manifests = render(values)
    shared = of_kind(manifests, "ConfigMap")["demo-modstream"]["data"]
    monkeypatch.chdir(tmp_path)

    for name, settings in settings_of_pods(manifests, shared, monkeypatch):
        assert settings.stream == "flights", name
        assert settings.route == tuple(values.get("route", ()))
        for option, value in values.get("settings", {}).items():
            assert_contains(getattr(settings, option), value)
    if "mechanism" in values.get("kafka", {}):
        assert settings.kafka_security.mechanism == values["kafka"]["mechanism"]


def settings_of_pods(manifests, shared, monkeypatch):
    for name, _, container in pods(manifests):
        with monkeypatch.context() as changed:
            for variable, value in shared.items():
                changed.setenv(variable, value)
            for one in container["env"]:
                value = one.get("value", f"{name}-0").replace("$(POD_NAME)", f"{name}-0")
                changed.setenv(one["name"], value)
            yield name, load_settings()


def assert_contains(found, value):
    if isinstance(value, dict):
        for name, one in value.items():
            assert_contains(getattr(found, name), one)
    elif isinstance(value, list):
        assert found == tuple(value)
    else:
        assert found == value


def test_the_name_of_a_pod_is_its_instance(monkeypatch, tmp_path):
    manifests = render(EVERYTHING)
    shared = of_kind(manifests, "ConfigMap")["demo-modstream"]["data"]
    monkeypatch.chdir(tmp_path)

    found = dict(settings_of_pods(manifests, shared, monkeypatch))

    assert found["demo-modstream-worker"].instance_name == "demo-modstream-worker-0"
    assert found["demo-modstream-aggregator"].instance_name == "demo-modstream-aggregator-0"
    assert found["demo-modstream-joiner"].joiner.instance_id == "demo-modstream-joiner-0"


def test_each_role_runs_its_command():
    found = {name.rpartition("-")[2]: one["args"][0] for name, _, one in pods(render(EVERYTHING))}

    assert found == {role: role for role in ROLES}


def test_a_worker_gets_the_time_that_its_work_in_hand_takes():
    for name, template, _ in pods(render(EVERYTHING)):
        assert template["spec"]["terminationGracePeriodSeconds"] >= 30, name


def test_workers_are_replaced_one_by_one_and_started_at_once():
    manifests = render({})
    worker = of_kind(manifests, "StatefulSet")["demo-modstream-worker"]["spec"]
    budget = of_kind(manifests, "PodDisruptionBudget")["demo-modstream-worker"]["spec"]

    assert worker["podManagementPolicy"] == "Parallel"
    assert budget["maxUnavailable"] == 1
    assert (
        budget["selector"]["matchLabels"].items()
        <= worker["template"]["metadata"]["labels"].items()
    )


def test_what_needs_a_custom_resource_definition_is_off_by_default():
    kinds = {one["kind"] for one in render({})}

    assert kinds == {
        *("ConfigMap", "ServiceAccount", "Service", "StatefulSet", "Deployment"),
        *("PodDisruptionBudget", "NetworkPolicy"),
    }


def test_the_joiner_does_not_reach_redis():
    """Its rights have none: the policy follows modstream's own table."""
    policy = of_kind(render({}), "NetworkPolicy")["demo-modstream-redis"]["spec"]

    (expression,) = policy["podSelector"]["matchExpressions"]
    assert sorted(expression["values"]) == ["gateway", "learner", "worker"]


def test_everything_else_is_denied():
    policy = of_kind(render(TOKENS), "NetworkPolicy")["demo-modstream-default"]["spec"]

    assert policy["policyTypes"] == ["Ingress", "Egress"]
    opened = [port["port"] for rule in policy["egress"] for port in rule["ports"]]
    assert opened == [53, 53, 9092, 8443]


def test_other_settings_start_pods_anew():
    """A process reads its settings once."""
    marks = [
        template["metadata"]["annotations"]["checksum/settings"]
        for values in ({}, {"settings": {"dedup_window": 0}})
        for _, template, _ in pods(render(values))
    ]

    half = len(marks) // 2
    assert len(set(marks[:half])) == 1
    assert len(set(marks)) == 2


def test_probes_ask_what_exists():
    """`modstream health` in services, HTTP in servers; a name that the dashboard answers to."""
    probes = {name: one for name, _, one in pods(render(EVERYTHING))}

    worker = probes["demo-modstream-worker"]
    assert worker["readinessProbe"]["exec"]["command"] == ["modstream", "health"]
    assert "livenessProbe" not in worker
    gateway = probes["demo-modstream-gateway"]["readinessProbe"]["httpGet"]
    assert (gateway["path"], gateway["scheme"]) == ("/v2/health/ready", "HTTPS")
    dashboard = probes["demo-modstream-dashboard"]["readinessProbe"]["httpGet"]
    assert dashboard["httpHeaders"] == [{"name": "Host", "value": "models.example.org"}]


def test_a_stream_may_be_without_workers():
    worker = of_kind(render({"worker": {"replicas": 0}}), "StatefulSet")["demo-modstream-worker"]

    assert worker["spec"]["replicas"] == 0


def test_without_volume_claims_the_home_directory_is_temporary():
    (found,) = pods(render(MINIMAL))

    volumes = {one["name"]: one for one in found[1]["spec"]["volumes"]}
    assert volumes["home"]["emptyDir"] == {"sizeLimit": "4Gi"}


def test_the_default_of_each_value_is_documented():
    lines = (CHART / "values.yaml").read_text().splitlines()
    tops = [at for at, line in enumerate(lines) if re.match(r"[a-zA-Z]+:", line)]

    undocumented = [
        lines[at]
        for at in tops
        if not lines[at - 1].startswith("#")
        and lines[at].split(":")[0] not in {"image", "kafka", "redis", "serviceAccount", "metrics"}
    ]

    assert undocumented == []
