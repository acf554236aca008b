"""What each kind of process exports: the catalogue, Prometheus' rules, and a bounded number."""

import shutil
import subprocess

import pytest
from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from modstream.telemetry.catalogue import BY_SERVICE, COMMON, LAG, PARTITION_LAG
from tests.modstream.telemetry.naming_rules import problems
from tests.modstream.telemetry.sample_processes import PROCESSES

MODELS = tuple(f"model-{number}" for number in range(50))
MAX_SERIES = 2000
NO_LAG = frozenset({LAG.name, PARTITION_LAG.name})
NOT_OF = {"gateway": NO_LAG, "retrainer": NO_LAG}


def families(metrics):
    return list(metrics.registry.collect())


def exported_name(family):
    return f"{family.name}_total" if family.type == "counter" else family.name


def series(metrics):
    return [sample for family in families(metrics) for sample in family.samples]


@pytest.mark.parametrize("service", PROCESSES)
def test_a_process_exports_what_the_catalogue_says(service):
    found = {
        exported_name(family): (family.type, family.documentation)
        for family in families(PROCESSES[service]())
        if family.name.startswith("modstream_") and family.samples
    }
    specs = (*COMMON, *BY_SERVICE[service])
    missing = NOT_OF.get(service, set())
    assert found == {
        spec.name: (spec.kind, spec.meaning) for spec in specs if spec.name not in missing
    }


@pytest.mark.parametrize("service", PROCESSES)
def test_names_units_and_helps_follow_prometheus(service):
    for family in families(PROCESSES[service]()):
        labels = {name for sample in family.samples for name in sample.labels} - {"le"}
        found = problems(exported_name(family), family.type, family.documentation, labels)
        assert not found, exported_name(family)


@pytest.mark.parametrize(
    ("name", "kind", "meaning"),
    [
        ("modstream_requests", "counter", "Requests."),
        ("modstream_lag_total", "gauge", "Lag."),
        ("modstream_delay_ms", "gauge", "Delay."),
        ("modstream_Delay_seconds", "gauge", "Delay."),
        ("modstream_delay_seconds", "gauge", ""),
        ("modstream_batch_count", "gauge", "Batches."),
        ("modstream_batch_histogram", "histogram", "Batches."),
    ],
)
def test_the_rules_find_a_misnamed_metric(name, kind, meaning):
    assert problems(name, kind, meaning)


@pytest.mark.parametrize("service", PROCESSES)
def test_a_name_has_one_family(service):
    names = [exported_name(family) for family in families(PROCESSES[service]())]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("service", PROCESSES)
def test_fifty_models_and_thirty_two_partitions_have_at_most_2000_series(service):
    metrics = PROCESSES[service](models=MODELS, partitions=32)
    assert len(series(metrics)) <= MAX_SERIES


@pytest.mark.parametrize("service", PROCESSES)
def test_openmetrics_can_be_parsed(service):
    text = generate_openmetrics(PROCESSES[service]().registry).decode()
    names = {family.name for family in parse_openmetrics(text)}
    assert {spec.name.removesuffix("_total") for spec in BY_SERVICE[service]} <= names


@pytest.mark.tools
@pytest.mark.parametrize("service", PROCESSES)
def test_promtool_finds_nothing_wrong(service):
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool is not installed: it is part of Debian's package prometheus")
    text = generate_latest(PROCESSES[service](models=MODELS, partitions=32).registry)
    found = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, b"", b"")
