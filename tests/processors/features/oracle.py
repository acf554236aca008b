"""The definitions of all aggregates, computed from a list of events: slow, and by other means."""

import math
from fractions import Fraction

from modstream.processors.features.durations import parse_duration

FEATURES = """
[sources.board]
topic = "board"
request_time = "asked"

[[features]]
name = "{aggregate}_{group}_{window}"
source = "labels"
groups = [[], ["s"], ["s", "k"]]
windows = ["1h", "3h"]
slice = "10m"
aggregates = ["count", "sum", "mean", "min", "max", "last", "rate", "quantile", "distinct"]
value = "label"
quantile = 0.75
smoothing = 3.5

[[features]]
name = "requests_{group}"
source = "requests"
groups = [[], ["k"]]
window = "1h"
aggregate = "count"

[[features]]
name = "since_{group}"
source = "requests"
groups = [[], ["s"]]
window = "2h"
slice = "10m"
aggregate = "time_since"

[[features]]
name = "share_{group}"
source = "labels"
groups = [[], ["s"]]
window = "1h"
aggregate = "rate"
value = "label"
equals = 1
prior = 0.25

[[features]]
name = "of_v"
source = "board"
window = "1h"
slice = "1h"
aggregate = "sum"
value = "v"
where = { k = 2 }

[[features]]
name = "overdue_{group}"
source = "labels"
groups = [[], ["s"]]
window = "1h"
slice = "10m"
aggregate = "overdue"
due_after = "20m"
due_field = "v"
due_per_unit = "1m"

[[features]]
name = "waiting"
source = "board"
group = ["k"]
window = "2h"
slice = "30m"
aggregate = "overdue"
due_after = "5m"

[[features]]
name = "waiting_{group}"
source = "board"
groups = [[], ["s"]]
window = "2h"
slice = "30m"
aggregate = "overdue"
due_after = "5m"
where = { v = 2 }

[[features]]
name = "overdue_of_2"
source = "labels"
window = "2h"
slice = "30m"
aggregate = "overdue"
due_after = "5m"
where = { k = 2 }
"""


EMPTY = {"count": len, "sum": sum, "distinct": lambda values: len(set(map(text, values)))}
"""The aggregates that have a value without events."""


def text(value):
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if math.isinf(value) or value != int(value):
        return repr(value)
    return str(int(value))


def number(value):
    is_number = isinstance(value, int | float) and math.isfinite(value)
    return Fraction(value) if is_number else None


def middle(value):
    """Return the middle of the bucket: 64 equal ones between two powers of two."""
    if not value:
        return 0.0
    size, low = abs(value), Fraction(1)
    while low > size:
        low /= 2
    while low * 2 <= size:
        low *= 2
    found = low + (math.floor((size - low) * 64 / low) + Fraction(1, 2)) * low / 64
    return float(found if value > 0 else -found)


def rounded(value):
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def belongs(one, event, fields, group):
    """Return whether an event counts for the group of a request."""
    wanted = [text(fields.get(name)) for name in group]
    if None in wanted or [text(event.fields.get(name)) for name in group] != wanted:
        return False
    if event.source == "requests" and one.source == "board":
        return True
    return all(text(event.fields.get(name)) == text(value) for name, value in one.where.items())


def in_window(one, time, now, lag=0):
    width = one.slice or parse_duration("1m")
    newest = now // width - lag
    return newest - one.window // width < time // width <= newest


def expected(one, events, fields, now):
    """Return the value of a feature for a request with these fields at a time."""
    if one.aggregate == "overdue":
        return overdue(one, events, fields, now)
    mine = [
        event
        for event in events
        if event.source == one.source
        and in_window(one, event.time, now)
        and belongs(one, event, fields, one.group)
    ]
    if one.aggregate == "time_since":
        return max(now - max(event.time for event in mine), 0) / 1000 if mine else math.nan
    if one.value is None:
        return float(len(mine))
    values = [(event, value_of(one, event)) for event in mine]
    values = [(event, value) for event, value in values if value is not None]
    if one.aggregate == "rate":
        everyone = [
            value_of(one, event)
            for event in events
            if event.source == one.source and in_window(one, event.time, now)
        ]
        everyone = [value for value in everyone if value is not None]
        return rate(one, [value for _, value in values], everyone)
    return aggregated(one, values)


def value_of(one, event):
    value = event.value if one.value == "label" else event.fields.get(one.value)
    if one.aggregate == "distinct":
        return value if text(value) is not None else None
    if one.equals is not None and text(value) is not None:
        return Fraction(text(value) == text(one.equals))
    return number(value)


def rate(one, values, everyone):
    total, count = rounded(sum(values)), float(len(values))
    prior = one.prior
    if prior is None and one.group:
        prior = rounded(sum(everyone)) / len(everyone) if everyone else math.nan
    if prior is None:
        return total / count if count else math.nan
    smoothing = one.smoothing or 0.0
    if not smoothing and not count:
        return prior
    return (total + smoothing * prior) / (count + smoothing)


def aggregated(one, values):
    plain = [value for _, value in values]
    if one.aggregate in EMPTY:
        return rounded(EMPTY[one.aggregate](plain))
    if not plain:
        return math.nan
    match one.aggregate:
        case "mean":
            found = Fraction(sum(plain), len(plain))
        case "min" | "max":
            found = min(plain) if one.aggregate == "min" else max(plain)
        case "last":
            found = max(values, key=lambda pair: (pair[0].time, pair[0].id))[1]
        case "quantile":
            found = middle(sorted(plain)[math.floor(one.quantile * (len(plain) - 1))])
    return rounded(found)


def overdue(one, events, fields, now):
    count = 0
    for event in events:
        if event.source not in {"requests", one.source}:
            continue
        asked = event.time if event.source == "requests" else event.request_time
        units = number(event.fields.get(one.due_field)) if one.due_field else Fraction(0)
        if asked is None or units is None or units < 0:
            continue
        extra = float(units) * (one.due_per_unit or 0)
        if extra > 366 * 24 * 3_600_000:
            continue
        due = asked + one.due_after + round(extra)
        if in_window(one, due, now, lag=1) and belongs(one, event, fields, one.group):
            count += 1 if event.source == "requests" else -1
    return float(max(count, 0))
