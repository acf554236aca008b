"""Every query of a dashboard or an alert reads metrics that modstream exports."""

import json
import shutil
import subprocess

import promql_parser
import pytest
import yaml

from modstream.telemetry.catalogue import BY_SERVICE, COMMON
from tests.modstream.telemetry.queries import (
    DASHBOARDS,
    DEPLOY,
    RULES,
    Selector,
    dashboard_queries,
    recorded,
    rule_queries,
    rules,
    selectors,
)

TARGET_LABELS = {"job", "instance", "service", "stream"}
FOREIGN = {
    "up",
    *("process_start_time_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes"),
}
"""Series of Prometheus itself, and of its client library for every process."""
ALERTS = [rule for rule in rules() if "alert" in rule]
ALL_QUERIES = [*dashboard_queries(), *rule_queries()]


def exported_series():
    """Return the labels of each exported series by its name."""
    found = dict.fromkeys(FOREIGN, frozenset())
    for spec in (*COMMON, *(spec for specs in BY_SERVICE.values() for spec in specs)):
        labels = frozenset(spec.labels)
        if spec.kind != "histogram":
            found[spec.name] = labels
            continue
        found[f"{spec.name}_bucket"] = labels | {"le"}
        found |= {f"{spec.name}_{ending}": labels for ending in ("sum", "count")}
    return found


EXPORTED = exported_series()


@pytest.mark.parametrize("query", ALL_QUERIES, ids=lambda query: query.place)
def test_a_query_reads_exported_series_by_their_labels(query):
    found = selectors(query.text)
    assert found
    for selector in found:
        assert selector.name in EXPORTED
        known = EXPORTED[selector.name] | TARGET_LABELS
        assert {label for label, _, _ in selector.matchers} <= known


@pytest.mark.parametrize("query", ALL_QUERIES, ids=lambda query: query.place)
def test_a_rate_is_that_of_a_counter(query):
    for call in calls_in(promql_parser.parse(query.text)):
        if call.func.name in {"rate", "increase", "irate"}:
            (argument,) = call.args
            name = argument.vector_selector.name
            assert name.endswith(("_total", "_count", "_sum", "_bucket")), name


def test_every_metric_is_on_a_dashboard():
    shown = {one.name for query in dashboard_queries() for one in selectors(query.text)}
    exported = {spec.name for specs in BY_SERVICE.values() for spec in specs}
    endings = ("", "_bucket", "_count", "_sum")
    missing = {name for name in exported if not shown & {name + ending for ending in endings}}
    assert missing == set()


def test_a_selector_matches_as_prometheus_does():
    (found,) = selectors('rate(a_total{b=~"x|y", c!="z"}[5m])')
    assert found == Selector("a_total", (("b", "Re", "x|y"), ("c", "NotEqual", "z")))
    assert found.selects("a_total", {"b": "x"})
    assert not found.selects("a_total", {"b": "xy"})
    assert not found.selects("a_total", {"b": "y", "c": "z"})


def test_a_query_of_a_recorded_series_is_that_of_its_rule():
    (name,) = recorded()
    names = [selector.name for selector in selectors(f"max_over_time({name}[1d])")]
    assert names == ["modstream_learner_model_metric", "modstream_learner_window_labels"]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_how_urgent_it_is_and_what_is_wrong(alert):
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert alert["annotations"]["summary"]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_has_a_unit_test_that_fires_and_one_that_stays_silent(alert):
    tests = yaml.safe_load(RULES.with_name("alerts_test.yml").read_text())["tests"]
    fires = [
        bool(case.get("exp_alerts"))
        for test in tests
        for case in test["alert_rule_test"]
        if case["alertname"] == alert["alert"]
    ]
    assert set(fires) == {True, False}


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_a_dashboard_has_no_overlapping_panels_and_takes_any_data_source(file):
    dashboard = json.loads(file.read_text())
    cells = set()
    for panel in dashboard["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}"
        at = panel["gridPos"]
        own = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not own & cells
        assert max(x for x, _ in own) < 24
        cells |= own


@pytest.mark.tools
@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml"),
     ("check", "config", "prometheus.yml")],
)  # fmt: skip
def test_promtool_accepts_the_rules(arguments):
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool is not installed: it is part of Debian's package prometheus")
    command, folder = [promtool, *arguments], DEPLOY / "prometheus"
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


def calls_in(node):
    """Yield the function calls of a query."""
    if isinstance(node, promql_parser.Call):
        yield node
    parts = [getattr(node, name, None) for name in ("expr", "lhs", "rhs")]
    for part in (*parts, *getattr(node, "args", ())):
        if part is not None and not isinstance(part, str):
            yield from calls_in(part)
