"""The Helm chart, rendered by Helm itself, and validated by the schemas of Kubernetes."""

import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path

import helm_python
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/modstream"
VERSIONS = ("1.32", "1.33", "1.34", "1.35", "1.36", "1.37")
"""The versions of Kubernetes for which manifests are validated."""
CUSTOM = {"keda.sh", "kafka.strimzi.io", "monitoring.coreos.com"}
"""Groups of the kinds that custom resource definitions add."""
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


@cache
def loaded_chart():
    return helm_python.Chart.load(CHART)


def render(values):
    """Return the manifests of a release, as `helm install` sends them.

    They are rendered once for each set of values; a caller may change what it gets.

    Raises:
        HelmError: the schema or a template refuses the values.
    """
    return json.loads(_rendered(json.dumps(values)))


@cache
def _rendered(values):
    chart = loaded_chart()
    chart.validate_schema(json.loads(values))
    found = chart.render(json.loads(values), name="demo", namespace="ml")
    texts = [text for name, text in found.items() if not name.endswith(".txt")]
    manifests = [one for text in texts for one in yaml.load_all(text, yaml.CSafeLoader) if one]
    return json.dumps(manifests)


def refusal(values):
    """Return the sentence with which values are refused."""
    try:
        render(values)
    except helm_python.HelmError as error:
        return str(error)
    raise AssertionError(f"not refused: {values}")


def group_of(manifest):
    return manifest["apiVersion"].partition("/")[0]


def problems(manifests, version):
    """Return what a server of this version of Kubernetes would refuse, as sentences."""
    found = []
    for one in manifests:
        where = f"{one['kind']} {one['metadata']['name']}"
        name = one["metadata"]["name"]
        if len(name) > 63 or not NAME.fullmatch(name):
            found.append(f"{where}: the name")
        if group_of(one) not in CUSTOM:
            errors = _validator(version, one["kind"], one["apiVersion"]).iter_errors(one)
            found += [f"{where}: {error.json_path}: {error.message}" for error in errors]
        found += [f"{where}: {number!r} is no integer" for number in floats(one)]
    keys = [(one["kind"], one["metadata"]["name"]) for one in manifests]
    found += [f"{key} occurs twice" for key in set(keys) if keys.count(key) > 1]
    return found


def floats(value):
    """Yield the numbers with an exponent: Helm prints 1000000 as 1e+06 unless told otherwise."""
    if isinstance(value, float):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from floats(one)


def pods(manifests):
    """Return the name and the template of each pod, and its main container."""
    for one in manifests:
        if one["kind"] in {"StatefulSet", "Deployment"}:
            template = one["spec"]["template"]
            (container,) = template["spec"]["containers"]
            yield one["metadata"]["name"], template, container


def of_kind(manifests, kind):
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] == kind}


@cache
def _folder(version):
    name = f"v{version}.0-local-strict"
    return files("kubernetes_validate").joinpath("kubernetes-json-schema", name)


@cache
def _registry(version):
    definitions = json.loads(_folder(version).joinpath("_definitions.json").read_text())
    resource = Resource.from_contents(definitions, default_specification=DRAFT202012)
    return Registry().with_resource("_definitions.json", resource).crawl()


@cache
def _validator(version, kind, api_version):
    group, _, name = api_version.rpartition("/")
    parts = [kind.lower(), *([group.partition(".")[0]] if group else []), name]
    schema = json.loads(_folder(version).joinpath(f"{'-'.join(parts)}.json").read_text())
    return Draft202012Validator(schema, registry=_registry(version))
