"""Prometheus' rules for names, units and helps, https://prometheus.io/docs/practices/naming/."""

import re

NAME = re.compile(r"(modstream|process|python)(_[a-z][a-z0-9]*)+")
LABEL = re.compile(r"[a-z][a-z_]*")
OTHER_UNITS = {
    *("milliseconds", "millis", "ms", "microseconds", "us", "minutes", "hours", "days"),
    *("kilobytes", "kb", "megabytes", "mb", "percent", "percentage"),
}
RESERVED_ENDINGS = ("_count", "_sum", "_bucket", "_created")
TYPES_IN_NAMES = {"counter", "gauge", "histogram", "summary"}


def problems(name, kind, meaning, labels=()):
    """Return what is wrong with a metric, as it is exported."""
    found = []
    words = set(name.split("_"))
    if not NAME.fullmatch(name):
        found.append("the name is not lower case words with a known prefix")
    if (kind == "counter") != name.endswith("_total"):
        found.append("counters, and only they, end in _total")
    if name.endswith("_info") and kind != "gauge":
        found.append("an info metric is a gauge")
    if name.endswith(RESERVED_ENDINGS):
        found.append("the ending is reserved")
    if words & OTHER_UNITS:
        found.append("the unit is not a base unit")
    if words & TYPES_IN_NAMES:
        found.append("the type is in the name")
    if not meaning.strip():
        found.append("there is no help")
    if bad := [label for label in labels if not LABEL.fullmatch(label) or label == "le"]:
        found.append(f"labels are misnamed: {bad}")
    return found
