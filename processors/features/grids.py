"""Entries of `features.toml` that define several features at once.

An entry with `groups`, `windows` or `aggregates` stands for all combinations. Its name has
`{group}`, `{window}` or `{aggregate}` where these are to stand.
"""

from collections.abc import Iterator, Mapping
from itertools import islice, product
from typing import NamedTuple

from modstream.processors.features.definition import MAX_FEATURES, settings_of

_LISTS = {"groups": "group", "windows": "window", "aggregates": "aggregate"}
ALL = "all"
"""What stands for the group of all events in a name."""


class Expanded(NamedTuple):
    """One feature of an entry; `entry` is the number of that."""

    entry: int
    definition: object


def place_of(one: Expanded) -> str:
    """Return the number of a feature's entry, from 1, and the feature's name if it has one."""
    name = one.definition.get("name") if isinstance(one.definition, Mapping) else None
    return f"entry {one.entry + 1} of features{f', {name}' if isinstance(name, str) else ''}"


def expand(entries: list[object]) -> Iterator[Expanded]:
    """Yield the features that are defined by the entries of a document."""
    for number, entry in enumerate(entries):
        if not isinstance(entry, Mapping) or not _LISTS.keys() & entry.keys():
            yield Expanded(number, entry)
            continue
        for one in _combinations(entry):
            yield Expanded(number, one)


def _combinations(entry: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Yield all combinations, or a few too many features if there are too many."""
    lists = {_LISTS[name]: values for name, values in entry.items() if name in _LISTS}
    rest = {name: value for name, value in entry.items() if name not in _LISTS}
    choices = [value if isinstance(value, list) else [value] for value in lists.values()]
    for chosen in islice(product(*choices), MAX_FEATURES + 1):
        one = dict(zip(lists, chosen, strict=True))
        aggregate = one.get("aggregate", rest.get("aggregate"))
        kept = rest
        if "aggregate" in one and isinstance(aggregate, str):
            kept = settings_of(aggregate, rest)
        named = {name: value for name, value in kept.items() if name in _LISTS.values()}
        yield {**kept, **one, "name": _name(rest.get("name"), {**named, **one})}


def _name(pattern: object, chosen: Mapping[str, object]) -> object:
    if not isinstance(pattern, str):
        return pattern
    for setting, value in chosen.items():
        text = value
        if isinstance(value, list):
            text = "_".join(map(str, value)).replace("@", "") or ALL
        pattern = pattern.replace(f"{{{setting}}}", str(text))
    return pattern
