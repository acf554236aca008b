"""The queries of the dashboards and of the alerts, and the series that they select."""

import json
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import promql_parser
import yaml

DEPLOY = Path(__file__).parents[3] / "deploy"
RULES = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))
VARIABLES = {"$__rate_interval": "5m", "$stream": ".*"}
LABEL_VALUES = re.compile(r"label_values\((.+), (\w+)\)")


class Query(NamedTuple):
    """A query, and where it stands."""

    place: str
    text: str


class Selector(NamedTuple):
    """A metric's name, and its matchers as (label, operator, value)."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]

    def selects(self, name, labels):
        """Return whether a sample is selected."""
        return name == self.name and all(
            matches(labels.get(label, ""), operator, value)
            for label, operator, value in self.matchers
        )


def matches(found, operator, value):
    """Return whether a label's value fulfils a matcher."""
    return {
        "Equal": found == value,
        "NotEqual": found != value,
        "Re": re.fullmatch(value, found) is not None,
        "NotRe": re.fullmatch(value, found) is None,
    }[operator]


@cache
def rules():
    """Return all rules: alerts and recorded ones."""
    return [
        rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    ]


def recorded():
    """Return the query of each recorded series by its name."""
    return {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}


def rule_queries():
    """Return the queries of all rules."""
    return [Query(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules()]


def dashboard_queries():
    """Return the queries of all panels and variables."""
    return [query for file in DASHBOARDS for query in _queries_of(file)]


def _queries_of(file):
    dashboard = json.loads(file.read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            text = target["expr"]
            for variable, value in VARIABLES.items():
                text = text.replace(variable, value)
            yield Query(f"{file.stem}: {panel['title']}", text)
    for variable in dashboard["templating"]["list"]:
        if found := LABEL_VALUES.fullmatch(variable.get("definition", "")):
            yield Query(f"{file.stem}: variable {variable['name']}", found[1])


def selectors(text):
    """Return the selectors of a query, those of a recorded series instead of its name."""
    found = list(_selectors_in(promql_parser.parse(text)))
    known = recorded()
    return [
        selector
        for one in found
        for selector in (selectors(known[one.name]) if one.name in known else [one])
    ]


def _selectors_in(node):
    if isinstance(node, promql_parser.VectorSelector):
        matchers = tuple(
            (one.name, str(one.op).rpartition(".")[2], one.value) for one in node.matchers.matchers
        )
        yield Selector(node.name, matchers)
        return
    parts = [getattr(node, name, None) for name in ("expr", "lhs", "rhs", "vector_selector")]
    for part in (*parts, *getattr(node, "args", ())):
        if part is not None and not isinstance(part, str):
            yield from _selectors_in(part)
